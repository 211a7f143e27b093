package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// readyAt runs `muster ready` for a server at an address.
func readyAt(addr string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	env := map[string]string{"MUSTER_LISTEN": addr, "MUSTER_CONFIG": "", "HOME": "/nonexistent"}
	code = run(context.Background(), []string{"ready"}, strings.NewReader(""), &out, &errs, func(k string) string { return env[k] })
	return code, out.String(), errs.String()
}

func TestReadySaysWhetherRequestsAreTaken(t *testing.T) {
	said, status := "ok", http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		io.WriteString(w, said)
	}))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []string{"127.0.0.1:" + port, "0.0.0.0:" + port, ":" + port} {
		if code, out, errs := readyAt(listen); code != exitOK || out != "ok\n" {
			t.Errorf("%s, ready: exit code %d, %q, %q", listen, code, out, errs)
		}
	}
	said, status = "loading", http.StatusServiceUnavailable
	if code, _, errs := readyAt("127.0.0.1:" + port); code != exitFailed || !strings.Contains(errs, "not ready: loading") {
		t.Errorf("not ready: exit code %d, %q", code, errs)
	}
	said, status = "", http.StatusTeapot
	if code, _, errs := readyAt("127.0.0.1:" + port); code != exitFailed || !strings.Contains(errs, "something else") {
		t.Errorf("something else: exit code %d, %q", code, errs)
	}
	s.Close()
	if code, _, errs := readyAt("127.0.0.1:" + port); code != exitUnreachable || !strings.Contains(errs, "--listen or MUSTER_LISTEN") {
		t.Errorf("nobody: exit code %d, want %d: %q", code, exitUnreachable, errs)
	}
	if code, _, _ := readyAt("nonsense"); code != exitUsage {
		t.Errorf("no address: exit code %d, want %d", code, exitUsage)
	}
}

// The server may have its certificate, and its address, from flags that ready never sees.
func TestReadyFindsOutWhetherTheServerSpeaksTLS(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	plain, sealed := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer sealed.Close()
	for _, s := range []*httptest.Server{plain, sealed} {
		var out, errs bytes.Buffer
		env := map[string]string{"HOME": "/nonexistent", "MUSTER_LISTEN": "127.0.0.1:1"}
		args := []string{"ready", "--listen", s.Listener.Addr().String()}
		if code := run(context.Background(), args, strings.NewReader(""), &out, &errs, func(k string) string { return env[k] }); code != exitOK || out.String() != "ok\n" {
			t.Errorf("%s: exit code %d, %s%s", s.URL, code, &out, &errs)
		}
	}
}

func TestReadyAsksAServerOnEveryNetworkOverLoopback(t *testing.T) {
	for host, want := range map[string]string{"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "10.0.0.5": "10.0.0.5", "localhost": "localhost"} {
		if got := nearby(host); got != want {
			t.Errorf("nearby(%q) = %q, want %q", host, got, want)
		}
	}
}
