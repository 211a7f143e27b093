package interop

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/muster-go/muster/internal/probe"
)

// muster speaks gRPC's health protocol without gRPC's library. This is the library's own server, with TLS and without.
func TestHealthProtocolAgainstGRPCsOwnServer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		checks := health.NewServer()
		addr := serveGRPC(t, secure, checks)
		for _, tt := range []struct {
			service string
			status  grpc_health_v1.HealthCheckResponse_ServingStatus
			want    string // "" is well
		}{
			{"", grpc_health_v1.HealthCheckResponse_SERVING, ""},
			{"orders", grpc_health_v1.HealthCheckResponse_SERVING, ""},
			{"", grpc_health_v1.HealthCheckResponse_NOT_SERVING, "grpc health check answered NOT_SERVING"},
			{"orders", grpc_health_v1.HealthCheckResponse_NOT_SERVING, "grpc health check of orders answered NOT_SERVING"},
			{"orders", grpc_health_v1.HealthCheckResponse_UNKNOWN, "answered UNKNOWN"},
		} {
			checks.SetServingStatus(tt.service, tt.status)
			expect(t, probe.Check{Kind: probe.GRPC, Address: addr, TLS: secure, Path: tt.service}, tt.want)
		}
		expect(t, probe.Check{Kind: probe.GRPC, Address: addr, TLS: secure, Path: "nobody"}, "NOT_FOUND")
		expect(t, probe.Check{Kind: probe.GRPC, Address: addr, TLS: !secure}, "grpc health check: ")
		expect(t, probe.Check{Kind: probe.HTTP, Address: addr, TLS: secure, Path: "/healthz"}, "GET /healthz")
		expect(t, probe.Check{Address: addr}, "")
		expect(t, probe.Check{Kind: probe.GRPC, Address: serveGRPC(t, secure, nil), TLS: secure}, "UNIMPLEMENTED: it has no grpc.health.v1.Health service")
	}
}

// serveGRPC starts a gRPC server, with a health service unless it is nil.
func serveGRPC(t *testing.T, secure bool, checks *health.Server) (addr string) {
	t.Helper()
	var opts []grpc.ServerOption
	if secure {
		lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate
		opts = append(opts, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: lender.TLS.Certificates})))
		lender.Close()
	}
	server := grpc.NewServer(opts...)
	if checks != nil {
		grpc_health_v1.RegisterHealthServer(server, checks)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func expect(t *testing.T, check probe.Check, want string) {
	t.Helper()
	err := new(probe.Client).Ask(t.Context(), check)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s (tls %v): %v, want %q", check, check.TLS, err, want)
	}
}
