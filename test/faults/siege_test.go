package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// siege is a server with little memory, under a flood of one kind, and a bystander who must not notice.
type siege struct {
	*peer.Process
	addr string

	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	beats []time.Duration
	lost  []string
}

// What a besieged server may have: its own limits follow memoryLimit, which is GOMEMLIMIT; mostMemory is what it may be seen to use,
// with its stacks and what the collector has not freed yet; mostData is where the kernel ends it.
const (
	memoryLimit = 256 << 20
	mostMemory  = 448 << 20
	mostData    = 1 << 20 // KiB
)

// besiege starts the server and a bystander at an address of its own, whose heartbeats go on until the test ends.
func besiege(t *testing.T, flags ...string) *siege {
	t.Helper()
	s := &siege{addr: peer.Loopback(peer.FreePort(t))}
	args := append([]string{peer.MusterBinary(t), "serve", "--listen", s.addr, "--data", filepath.Join(t.TempDir(), "data")}, flags...)
	s.Process = peer.Start(t, peer.Command{
		Name:  "muster serve",
		Path:  "/bin/sh",
		Args:  append([]string{"-c", fmt.Sprintf(`ulimit -d %d && exec "$0" "$@"`, mostData)}, args...),
		Env:   []string{fmt.Sprint("GOMEMLIMIT=", memoryLimit)},
		Ready: peer.HTTP("http://" + s.addr + "/readyz"),
	})
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	ready := make(chan struct{})
	s.work.Go(func() { s.stand(ctx, t, ready) })
	t.Cleanup(func() { cancel(); s.work.Wait() })
	<-ready
	return s
}

// stand is the bystander: it registers, and sends heartbeats on one connection.
func (s *siege) stand(ctx context.Context, t *testing.T, ready chan<- struct{}) {
	client := s.client("127.0.0.2", 1)
	defer client.CloseIdleConnections()
	const body = `{"instance":{"instanceId":"one","app":"BYSTANDER","hostName":"h","ipAddr":"10.0.0.9","status":"UP","port":{"$":1,"@enabled":"true"},"dataCenterInfo":{"name":"MyOwn"},"leaseInfo":{"durationInSecs":30}}}`
	if code, text := s.send(ctx, client, "POST", "/eureka/apps/BYSTANDER", body); code != 204 {
		t.Errorf("the bystander cannot register: %d %s", code, text)
	}
	close(ready)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		code, text := s.send(ctx, client, "PUT", "/eureka/apps/BYSTANDER/one", "")
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.beats = append(s.beats, time.Since(began))
		if code != 200 {
			s.lost = append(s.lost, fmt.Sprint(code, " ", text))
		}
		s.mu.Unlock()
	}
}

// lift ends the siege and says how the server and the bystander came through.
func (s *siege) lift(t *testing.T) {
	t.Helper()
	if code, text := s.send(t.Context(), s.client("127.0.0.2", 1), "GET", "/eureka/apps/BYSTANDER/one", ""); code != 200 {
		t.Errorf("the bystander is not listed any more: %d %.300s", code, text)
	}
	const newcomer = `{"instance":{"instanceId":"two","app":"BYSTANDER","hostName":"h","ipAddr":"10.0.0.9","status":"UP","port":{"$":1,"@enabled":"true"},"dataCenterInfo":{"name":"MyOwn"}}}`
	if code, text := s.send(t.Context(), s.client("127.0.0.2", 1), "POST", "/eureka/apps/BYSTANDER", newcomer); code != 204 {
		t.Errorf("somebody else cannot register: %d %.300s", code, text)
	}
	s.cancel()
	s.work.Wait()
	now, most := memory(t, s.PID())
	slices.Sort(s.beats)
	if len(s.beats) < 5 {
		t.Fatalf("%d heartbeats, want at least 5 to say so", len(s.beats))
	}
	p50, p99 := s.beats[len(s.beats)/2], s.beats[len(s.beats)*99/100]
	t.Logf("%d heartbeats of a bystander, p50 %v, p99 %v; the server has %d MiB, had %d at most", len(s.beats), p50, p99, now>>20, most>>20)
	if len(s.lost) > 0 {
		t.Errorf("%d of the bystander's heartbeats were refused, such as %s", len(s.lost), s.lost[0])
	}
	if most > mostMemory {
		t.Errorf("the server had %d MiB, want %d at most with a limit of %d", most>>20, mostMemory>>20, memoryLimit>>20)
	}
}

// client returns one that comes from an address of this machine.
func (s *siege) client(from string, conns int) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns},
	}
}

// send sends a request and returns the answer's status, 0 without one, and its body.
func (s *siege) send(ctx context.Context, c *http.Client, method, path, body string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	if body != "" {
		req.Header.Set("Content-Type", inJSON)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, err.Error()
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode, string(text)
}

// flood sends requests from an address, on some connections at once, until d is over or most were sent, and counts answers by
// status. next gives the kth request of one of the connections.
func (s *siege) flood(t *testing.T, from string, conns int, d time.Duration, most int64, next func(conn, k int) (method, path, body string)) map[int]int {
	return s.floodUntil(t, from, conns, d, most, next, func(map[int]int) bool { return false })
}

// longest is how long a flood goes on that waits for a certain answer.
const longest = 60 * time.Second

// floodUntil is flood that ends as soon as the answers so far are enough.
func (s *siege) floodUntil(t *testing.T, from string, conns int, d time.Duration, most int64, next func(conn, k int) (method, path, body string), enough func(map[int]int) bool) map[int]int {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	client := s.client(from, conns)
	defer client.CloseIdleConnections()
	var n atomic.Int64
	var mu sync.Mutex // guards answers
	answers := map[int]int{}
	var senders sync.WaitGroup
	for conn := range conns {
		senders.Go(func() {
			for k := 0; ctx.Err() == nil && n.Add(1) <= most; k++ {
				method, path, body := next(conn, k)
				code, _ := s.send(ctx, client, method, path, body)
				if ctx.Err() == nil {
					mu.Lock()
					if answers[code]++; enough(answers) {
						cancel()
					}
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	return answers
}

// heavy is an instance with as much metadata as there may be.
func heavy(conn, k int) (method, path, body string) {
	body = fmt.Sprintf(`{"owner":"flood","ttl":"60s","endpoints":[{"scheme":"http","address":"10.0.0.7:8080"}],"metadata":{"n":"%d","m":"%s"}}`, k, strings.Repeat("x", 16000))
	return "PUT", fmt.Sprintf("/api/v1/namespaces/default/services/HEAVY/instances/%d-%d", conn, k), body
}

// changing is heavy, of 500 instances over and over.
func changing(conn, k int) (method, path, body string) {
	_, path, _ = heavy(conn%filling, k%(500/filling))
	_, _, body = heavy(conn, k)
	return "PUT", path, body
}

// changed says that each of changing's instances changed twice at least, on average.
func changed(answers map[int]int) bool { return answers[200] >= 1000 }

// filling is how many connections fill a server.
const filling = 10

const forEver = int64(1) << 40

func TestFloodOfHeavyRegistrationsIsBounded(t *testing.T) {
	s := besiege(t)
	answers := s.floodUntil(t, "127.0.0.3", 32, longest, forEver, heavy, func(a map[int]int) bool { return a[200] > 0 && a[429] > 100 })
	if answers[429] == 0 || answers[200] == 0 {
		t.Errorf("answered %v, want some taken and then refused", answers)
	}
	if _, text := s.send(t.Context(), s.client("127.0.0.2", 1), "GET", "/metrics", ""); !strings.Contains(text, `muster_refused_total{reason="quota"} `) || strings.Contains(text, `muster_refused_total{reason="quota"} 0`) {
		t.Errorf("no quota was met: %.3000s", text)
	}
	t.Logf("answered %v", answers)
	s.lift(t)
}

// passing is how many registrations of 16 kB come and go, where the machine is fast enough: more than the server's memory together.
const passing = 20_000

// What is registered and taken back at once is no longer there, but changes are told for minutes.
func TestFloodOfPassingRegistrationsIsBounded(t *testing.T) {
	s := besiege(t)
	answers := s.floodUntil(t, "127.0.0.3", 16, longest/2, forEver, func(conn, k int) (string, string, string) {
		method, path, body := heavy(conn, k/2)
		if k%2 == 1 {
			return "DELETE", path + "?owner=flood", ""
		}
		return method, path, body
	}, func(a map[int]int) bool { return a[200] >= passing })
	if answers[200] < 1000 || answers[204] < 1000 {
		t.Errorf("answered %v: that is no flood of registrations that come and go", answers)
	}
	t.Logf("answered %v", answers)
	s.lift(t)
}

func TestFloodOfNamespacesIsBounded(t *testing.T) {
	s := besiege(t)
	answers := s.flood(t, "127.0.0.3", 32, 8*time.Second, 5000, func(conn, k int) (string, string, string) {
		_, _, body := heavy(conn, k)
		return "PUT", fmt.Sprintf("/api/v1/namespaces/flood-%d-%d/services/S/instances/1", conn, k), strings.Replace(body, strings.Repeat("x", 16000), "x", 1)
	})
	t.Logf("answered %v", answers)
	if answers[429] == 0 {
		t.Errorf("answered %v, want one payer's namespaces beyond its own limit refused", answers)
	}
	for i := range 100 {
		const body = `{"owner":"o","endpoints":[{"scheme":"http","address":"10.0.0.9:1"}]}`
		if code, text := s.send(t.Context(), s.client("127.0.0.4", 1), "PUT", fmt.Sprintf("/api/v1/namespaces/mine-%d/services/S/instances/1", i), body); code != 200 {
			t.Fatalf("somebody else's namespace number %d: %d %.300s", i, code, text)
		}
	}
	s.lift(t)
}

func TestFloodOfWatchersThatNeverReadIsBounded(t *testing.T) {
	s := besiege(t)
	fill(t, s)
	conns, refused := s.open(t, 2000, "GET /api/v1/namespaces/default/watch HTTP/1.1\r\nHost: x\r\n\r\n")
	watching := watchers(t, "http://"+s.addr)
	if len(conns) < 1000 || watching < 200 {
		t.Errorf("%d connections were taken and %d not, %d watch: that is no flood", len(conns), refused, watching)
	}
	// Something happens meanwhile that all of them would have to hear of.
	answers := s.floodUntil(t, "127.0.0.7", filling, longest, forEver, changing, changed)
	if !changed(answers) {
		t.Errorf("changes are answered %v: there was too little to hear of", answers)
	}
	t.Logf("%d connections taken, %d not, %d watch; changes answered %v", len(conns), refused, watching, answers)
	s.lift(t)
}

func TestSlowReadersOfTheWholeListAreBounded(t *testing.T) {
	s := besiege(t)
	fill(t, s)
	native, _ := s.open(t, 1000, "GET /api/v1/namespaces/default/instances HTTP/1.1\r\nHost: x\r\n\r\n")
	eureka, _ := s.open(t, 1000, "GET /eureka/apps HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := 0 // bytes; the reader's until it has ended
	var readers sync.WaitGroup
	readers.Go(func() {
		one := make([]byte, 1)
		for ctx.Err() == nil {
			for _, conn := range slices.Concat(native, eureka) {
				_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
				n, _ := conn.Read(one) // some are refused or cut off by now
				got += n
			}
		}
	})
	answers := s.floodUntil(t, "127.0.0.7", filling, longest, forEver, changing, changed)
	cancel()
	readers.Wait()
	if len(native) < 500 || len(eureka) < 500 {
		t.Errorf("%d native and %d Eureka readers were taken: that is no flood", len(native), len(eureka))
	}
	if !changed(answers) {
		t.Errorf("changes are answered %v: the list hardly changed", answers)
	}
	t.Logf("%d connections; %d bytes read; changes answered %v", len(native)+len(eureka), got, answers)
	s.lift(t)
}

// One payer that asks for everything as fast as it can is refused what is too much, and others do not notice.
func TestOnePayerThatReadsTooMuchIsRefused(t *testing.T) {
	s := besiege(t, "--limits", "requests=3000")
	fill(t, s)
	answers := s.floodUntil(t, "127.0.0.3", 128, longest, forEver, func(conn, k int) (string, string, string) {
		return "GET", []string{"/eureka/apps", "/api/v1/namespaces/default/instances", "/api/v1/namespaces/default/services"}[k%3], ""
	}, func(a map[int]int) bool { return a[200] > 0 && a[429] > 300 })
	if answers[429] == 0 || answers[200] == 0 {
		t.Errorf("answered %v, want some served and most refused", answers)
	}
	t.Logf("answered %v", answers)
	s.lift(t)
}

// fill registers 500 heavy instances: a list of 8 MB.
func fill(t *testing.T, s *siege) {
	t.Helper()
	if answers := s.flood(t, "127.0.0.7", filling, 20*time.Second, 500, changing); answers[200] != 500 {
		t.Fatalf("500 instances are answered %v", answers)
	}
}

// open opens n connections from four addresses, sends a request on each and reads nothing.
func (s *siege) open(t *testing.T, n int, request string) (conns []net.Conn, refused int) {
	t.Helper()
	for i := range n {
		dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(3+i%4))}}
		conn, err := dialer.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			refused++
			continue
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			refused++
			continue
		}
		conns = append(conns, conn)
	}
	return conns, refused
}
