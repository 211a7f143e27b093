package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/test/peer"
)

// Clients that ask for a list or a watch and never read cost a connection each, not what they have missed; nobody else waits for
// them, and in the end they are cut off.
func TestClientsThatDoNotReadHurtNobody(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	const (
		sleepers = 100
		parts    = 32
		rounds   = 40
		size     = 12 << 10 // bytes of each instance
	)
	driver := newDriver(t, server.Addr)
	for part := range parts {
		if _, err := driver.Register(t.Context(), filled(part, 0, size), 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := memory(t, server.PID())
	for range sleepers {
		sleep(t, server.Addr, "/api/v1/namespaces/default/watch")
		sleep(t, server.Addr, "/api/v1/namespaces/default/instances")
		sleep(t, server.Addr, "/eureka/apps/")
	}
	peer.Await(t, slack, "every watch", func() bool { return watchers(t, server.URL) == sleepers })

	reader := newRegistry(t, server.Addr)
	var delays []time.Duration
	for round := range rounds {
		for part := range parts {
			if _, err := driver.Register(t.Context(), filled(part, round, size), 30*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*slack)
		_, err := reader.Wait(ctx, "PARTS", func(s *muster.Snapshot) bool {
			in := s.Instance(fmt.Sprint("part-", parts-1))
			return in != nil && in.Version == fmt.Sprint(round)
		})
		cancel()
		if err != nil {
			t.Fatalf("round %d never arrived at a client that reads: %v", round, err)
		}
		delays = append(delays, time.Since(began))
	}
	slices.Sort(delays)
	_, most := memory(t, server.PID())
	missed := int64(sleepers * parts * rounds * size)
	if grown := most - before; grown > missed/10 {
		t.Errorf("the server grew by %d MB, its sleeping clients have missed %d MB", grown>>20, missed>>20)
	}
	peer.Await(t, 30*time.Second, "the sleeping watchers to be cut off", func() bool { return watchers(t, server.URL) == 1 })
	t.Logf("change to view %v typically, %v at most; the server grew by %d MB for %d MB that nobody read", delays[rounds/2], delays[rounds-1], (most-before)>>20, missed>>20)

	view := newRegistry(t, server.Addr)
	reg := newTarget(t, view, service)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, reg.Instance().ID) })
	stays(t, view, ttl+ttl/2, service, reg.Instance().ID)
}

// sleep asks for something and reads nothing of it.
func sleep(t *testing.T, addr, path string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr); err != nil {
		t.Fatal(err)
	}
}

// watchers asks the server how many watches it serves.
func watchers(t *testing.T, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var status struct{ Watchers int }
	if err := json.NewDecoder(res.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	return status.Watchers
}

// filled is an instance of many bytes, whose version is the round.
func filled(part, round, size int) *muster.Instance {
	return &muster.Instance{
		Namespace: muster.DefaultNamespace, Service: "PARTS", ID: fmt.Sprint("part-", part), Status: muster.Up, Owner: "parts", Version: fmt.Sprint(round),
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "127.0.0.1:9"}},
		Metadata:  map[string]string{"filling": strings.Repeat(string(rune('a'+round%26)), size)},
	}
}
