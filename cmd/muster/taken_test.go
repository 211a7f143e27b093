//go:build unix

package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muster-go/muster"
)

func TestRegisterRefusesAPortThatSomebodyElseHolds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	addr := other.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	ran := []string{"--", "/bin/sh", "-c", "echo it ran; sleep 5"}
	for _, tt := range []struct {
		name  string
		flags []string
		want  string
	}{
		{"its address", []string{"--url", "http://" + addr}, addr + " takes connections before"},
		{"its port", []string{"--url", "http://:" + port}, addr + " takes connections before"},
		{"its name", []string{"--url", "http://localhost:" + port}, "localhost:" + port + " takes connections before"},
		{"a second endpoint", []string{"--url", "http://" + closedPort(t), "--url", "http://" + addr}, addr + " takes connections before"},
		{"with a path for its health", []string{"--url", "http://" + addr, "--health", "/healthz"}, addr + " takes connections before"},
		{"as what says that it is healthy", []string{"--url", "http://" + closedPort(t), "--health", "tcp://" + addr}, "cannot say when the command is healthy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := l.program(nil, append(append([]string{"register", "ORDERS"}, tt.flags...), ran...)...)
			if code := p.code(t); code != exitFailed || !strings.Contains(p.out.String(), tt.want) {
				t.Errorf("exit code %d, %s\nwant %d and %q", code, p.out.String(), exitFailed, tt.want)
			}
			if l.server.Store().View("default").Service("ORDERS") != nil || strings.Contains(p.out.String(), "it ran\n") {
				t.Errorf("it was run or registered: %s", p.out.String())
			}
		})
	}
}

// What answers elsewhere already, such as a load balancer, is asked for its health and says nothing about the port.
func TestRegisterTakesAHealthThatIsGoodAlready(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(other.Close)
	end := muster.Endpoint{Scheme: "http", Address: closedPort(t)}
	check, err := newHealth(other.URL+"/healthz", &muster.Instance{Endpoints: []muster.Endpoint{end}})
	if err != nil {
		t.Fatal(err)
	}
	if err := taken(t.Context(), []muster.Endpoint{end}, check); err != nil {
		t.Error(err)
	}
}
