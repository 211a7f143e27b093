package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muster-go/muster/internal/probe"
)

// ask asks a handler's server by HTTP.
func ask(t *testing.T, h http.HandlerFunc, change func(*probe.Check)) error {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	check := probe.Check{Kind: probe.HTTP, Address: srv.Listener.Addr().String(), Path: "/healthz?deep=1"}
	if change != nil {
		change(&check)
	}
	return (&probe.Client{Timeout: 300 * time.Millisecond}).Ask(t.Context(), check)
}

func TestAnHTTPAnswerIsWellWhenItIs2xx(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    http.HandlerFunc
		want string // "" is well
	}{
		{"200", func(http.ResponseWriter, *http.Request) {}, ""},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ""},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "GET /healthz?deep=1 answered 503 Service Unavailable"},
		{"404", http.NotFound, "GET /healthz?deep=1 answered 404 Not Found"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://10.0.0.1/x", http.StatusFound)
		},
			`GET /healthz?deep=1 answered 302 Found to "http://10.0.0.1/x"; redirects are not followed, so name where it leads`},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "GET /healthz?deep=1: no answer within 300ms"},
		{"the path as given", func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/healthz?deep=1" {
				w.WriteHeader(400)
			}
		}, ""},
		{"an endless body", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 32<<10)); err != nil {
					return
				}
			}
		}, ""},
		{"a body that trickles", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, ""},
		{"endless headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 128<<10)) },
			"GET /healthz?deep=1: the connection was closed without an answer, or the answer is too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := ask(t, tt.h, nil)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed = true
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, nil)
	if err == nil || followed {
		t.Errorf("followed: %v, error %v", followed, err)
	}
}

func TestACertificateIsVerifiedWhereThatIsAsked(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	check := probe.Check{Kind: probe.HTTP, Address: srv.Listener.Addr().String(), TLS: true, Path: "/"}
	if err := new(probe.Client).Ask(t.Context(), check); err != nil {
		t.Errorf("unverified: %v", err)
	}
	check.Verify = true
	if err := new(probe.Client).Ask(t.Context(), check); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("verified: %v, want what to do about an unknown certificate", err)
	}
}

func TestBasicCredentialsAreSentAndNotShown(t *testing.T) {
	check := probe.Check{}
	err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "ann" || password != "s3cret" {
			w.WriteHeader(401)
		} else {
			w.WriteHeader(500)
		}
	}, func(c *probe.Check) {
		req, _ := http.NewRequest("GET", "http://ann:s3cret@x/", nil)
		c.User = req.URL.User
		check = *c
	})
	if err == nil || !strings.Contains(err.Error(), "500") || strings.Contains(err.Error()+check.String(), "s3cret") {
		t.Error(err)
	}
}

// garbage answers every connection with these bytes.
func garbage(t *testing.T, answer string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_, _ = io.ReadAtLeast(conn, make([]byte, 1<<10), 1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func TestGarbageIsNotWellWhateverIsAsked(t *testing.T) {
	addr := garbage(t, "\x00\x1b[31mSSH-2.0-\xff\r\n\r\n")
	for _, check := range []probe.Check{
		{Kind: probe.HTTP, Path: "/"}, {Kind: probe.HTTP, Path: "/", TLS: true}, {Kind: probe.GRPC}, {Kind: probe.GRPC, TLS: true},
	} {
		check.Address = addr
		err := (&probe.Client{Timeout: 500 * time.Millisecond}).Ask(t.Context(), check)
		if err == nil {
			t.Errorf("%+v: well", check)
			continue
		}
		if text := probe.Because(err, 3); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > probe.MaxBecause {
			t.Errorf("%q is not fit to be shown", text)
		}
	}
	if err := new(probe.Client).Ask(t.Context(), probe.Check{Address: addr}); err != nil {
		t.Errorf("tcp: %v, want that a connection is enough", err)
	}
}

func TestNobodyThereIsSaidPlainly(t *testing.T) {
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	addr := ln.Addr().String()
	ln.Close()
	for check, want := range map[probe.Check]string{
		{Address: addr}: "connect to " + addr + ": connection refused",
		{Kind: probe.HTTP, Address: addr, Path: "/up"}: "GET /up: connection refused",
		{Kind: probe.GRPC, Address: addr}:              "grpc health check: connection refused",
	} {
		if err := new(probe.Client).Ask(t.Context(), check); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestACheckThatIsCutOffSaysNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := new(probe.Client).Ask(ctx, probe.Check{Address: "127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReasonsAreBoundedAndPlain(t *testing.T) {
	for _, tt := range []struct {
		text  string
		times int
		want  string
	}{
		{"GET /healthz answered 503 Service Unavailable", 3, "GET /healthz answered 503 Service Unavailable, 3 times"},
		{"GET /healthz answered 503 Service Unavailable", 1, "GET /healthz answered 503 Service Unavailable"},
		{"a\x1b[2Jb\nc\x7f\u202ed", 1, "a [2Jb c  d"},
		{"bad \xff\xfe bytes", 1, "bad ? bytes"},
		{strings.Repeat("ü", 500), 12, strings.Repeat("ü", 93) + "…, 12 times"},
	} {
		if got := probe.Because(errors.New(tt.text), tt.times); got != tt.want || len(got) > probe.MaxBecause {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// grpcServer answers Health/Check as a gRPC server does: a message in a frame, the status in a trailer.
func grpcServer(t *testing.T, tls bool, message []byte, status string) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.ProtoMajor != 2 || r.Method != "POST" || r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Te") != "trailers" ||
			string(body) != "\x00\x00\x00\x00\x08\x0a\x06orders" {
			w.WriteHeader(400)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(message)
		w.Header().Set("Grpc-Status", status)
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Config.Protocols.SetHTTP2(true)
	srv.EnableHTTP2 = tls
	if tls {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func TestGRPCIsWellWhenItIsServing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message string
		status  string
		want    string
	}{
		{"serving", "\x00\x00\x00\x00\x02\x08\x01", "0", ""},
		{"serving, and a field from the future", "\x00\x00\x00\x00\x06\x08\x01\x12\x02hi", "0", ""},
		{"not serving", "\x00\x00\x00\x00\x02\x08\x02", "0", "answered NOT_SERVING"},
		{"nothing said", "\x00\x00\x00\x00\x00", "0", "answered UNKNOWN"},
		{"an unheard status", "\x00\x00\x00\x00\x02\x08\x09", "0", "serving status 9"},
		{"not found", "", "5", "NOT_FOUND"},
		{"without a health service", "", "12", "UNIMPLEMENTED"},
		{"another code", "", "14", "gRPC status 14"},
		{"a torn message", "\x00\x00\x00\x00\x09\x08\x01", "0", "no HealthCheckResponse"},
		{"a compressed message", "\x01\x00\x00\x00\x02\x08\x01", "0", "no HealthCheckResponse"},
		{"an endless message", "\x00\x00\x00\x00\x02\x08\x01" + strings.Repeat("x", 1<<20), "0", "health check"},
	} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, tls), func(t *testing.T) {
				t.Parallel()
				addr := grpcServer(t, tls, []byte(tt.message), tt.status)
				err := new(probe.Client).Ask(t.Context(), probe.Check{Kind: probe.GRPC, Address: addr, TLS: tls, Path: "orders"})
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		}
	}
}

func TestWhatIsNoGRPCServerIsSaid(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler()) // HTTP/1.1 only
	defer srv.Close()
	err := new(probe.Client).Ask(t.Context(), probe.Check{Kind: probe.GRPC, Address: srv.Listener.Addr().String()})
	if err == nil || !strings.HasPrefix(err.Error(), "grpc health check: ") {
		t.Error(err)
	}
}
