package server_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/test/pki"
)

// secure serves with a certificate of serial number 1.
func secure(t *testing.T, ca *pki.Authority, opt server.Options) (s *server.Server, dir string) {
	t.Helper()
	dir = t.TempDir()
	cert, key := ca.Issue(1, "registry.test", time.Now().Add(time.Hour))
	opt.TLS.Cert, opt.TLS.Key = write(t, dir, "tls.crt", cert), write(t, dir, "tls.key", key)
	s, _ = start(t, opt)
	return s, dir
}

// over is a client that trusts an authority and keeps no connection.
func over(t *testing.T, ca *pki.Authority, certs ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: certs}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// serial is the number of the certificate that a new connection gets.
func serial(t *testing.T, s *server.Server, ca *pki.Authority) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTLSIsSpokenInNewVersionsAlone(t *testing.T) {
	ca := pki.New(t, "ca")
	s, _ := secure(t, ca, server.Options{})
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("its URL is %s", s.URL())
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: ca.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if conn != nil {
			conn.Close()
		}
	}
	res, err := over(t, ca).Get(s.URL() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Errorf("answered over %s, want HTTP/2", res.Proto)
	}
}

func TestPlainRequestToTheTLSPortHearsWhatIsMeant(t *testing.T) {
	s, _ := secure(t, pki.New(t, "ca"), server.Options{})
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "HTTP request to an HTTPS server") {
		t.Errorf("answered %q, %v", answer, err)
	}
}

func TestRotatedCertificateIsUsedByNewConnections(t *testing.T) {
	ca := pki.New(t, "ca")
	s, dir := secure(t, ca, server.Options{})
	if n := serial(t, s, ca); n != 1 {
		t.Fatalf("serial %d", n)
	}
	cert, key := ca.Issue(2, "registry.test", time.Now().Add(2*time.Hour))
	write(t, dir, "tls.crt", cert)
	write(t, dir, "tls.key", key)
	s.Reload()
	if n := serial(t, s, ca); n != 2 {
		t.Errorf("after the files changed: serial %d", n)
	}
	write(t, dir, "tls.key", []byte("nonsense"))
	s.Reload()
	if n := serial(t, s, ca); n != 2 {
		t.Errorf("after a broken key: serial %d", n)
	}
	var health struct {
		Status string
		Why    []string
	}
	res, err := over(t, ca).Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&health); err != nil || health.Status != "DEGRADED" || len(health.Why) != 1 || !strings.Contains(health.Why[0], "the pair from before is kept") {
		t.Errorf("healthz: %+v, %v", health, err)
	}
	status, err := over(t, ca).Get(s.URL() + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer status.Body.Close()
	text, err := io.ReadAll(status.Body)
	if err != nil || !strings.Contains(string(text), `"names":["registry.test","127.0.0.1"]`) || !strings.Contains(string(text), `"trouble":"`) {
		t.Errorf("status: %s, %v", text, err)
	}
	metrics, err := over(t, ca).Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	if text, err = io.ReadAll(metrics.Body); err != nil || !strings.Contains(string(text), "\nmuster_certificate_expiry_timestamp_seconds ") {
		t.Errorf("the metric of the expiry is missing (%v)", err)
	}
	write(t, dir, "tls.key", key)
	s.Reload()
	if n := serial(t, s, ca); n != 2 {
		t.Errorf("after it was mended: serial %d", n)
	}
}

// As Kubernetes does it: a link to a directory that changes as a whole, noticed without a signal.
func TestSwappedLinkIsNoticed(t *testing.T) {
	t.Parallel()
	ca := pki.New(t, "ca")
	dir := t.TempDir()
	for n, name := range []string{"one", "two"} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		cert, key := ca.Issue(int64(n+1), "registry.test", time.Now().Add(time.Hour))
		write(t, sub, "tls.crt", cert)
		write(t, sub, "tls.key", key)
	}
	link := filepath.Join(dir, "data")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, server.Options{TLS: server.TLSFiles{Cert: filepath.Join(link, "tls.crt"), Key: filepath.Join(link, "tls.key")}})
	if n := serial(t, s, ca); n != 1 {
		t.Fatalf("serial %d", n)
	}
	if err := os.Symlink("two", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(15 * time.Second)
	for serial(t, s, ca) != 2 {
		if time.Now().After(deadline) {
			t.Fatal("the new pair is not used after 15 s")
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestUnusableFilesAreRefusedAtTheStart(t *testing.T) {
	ca := pki.New(t, "ca")
	dir := t.TempDir()
	cert, key := ca.Issue(1, "registry.test", time.Now().Add(time.Hour))
	_, other := ca.Issue(2, "registry.test", time.Now().Add(time.Hour))
	c, k, o, empty := write(t, dir, "c", cert), write(t, dir, "k", key), write(t, dir, "o", other), write(t, dir, "e", nil)
	for _, files := range []server.TLSFiles{
		{Cert: c}, {Key: k}, {ClientCA: c}, {Cert: c, Key: o}, {Cert: filepath.Join(dir, "no"), Key: k}, {Cert: c, Key: k, ClientCA: empty}, {Cert: dir, Key: k},
	} {
		s, err := server.Open(server.Options{Listen: "127.0.0.1:0", TLS: files})
		if err == nil {
			s.Close()
			t.Errorf("%+v is taken", files)
		}
	}
}

func TestClientCertificateHasTheRightsOfItsName(t *testing.T) {
	ours, theirs := pki.New(t, "ours"), pki.New(t, "theirs")
	none := access.None
	dir := t.TempDir()
	s, _ := secure(t, ours, server.Options{Anonymous: &none, TLS: server.TLSFiles{ClientCA: write(t, dir, "ca.pem", ours.PEM())}})
	if err := s.Store().AddToken(store.Token{Name: "reader", Certificate: "reader.test", Allow: []string{"read"}, Created: time.Now()}, store.Author{Proven: "test"}); err != nil {
		t.Fatal(err)
	}
	get := func(certs ...tls.Certificate) string {
		res, err := over(t, ours, certs...).Get(s.URL() + "/api/v1/namespaces/default/services")
		if err != nil {
			return "no connection"
		}
		defer res.Body.Close()
		return fmt.Sprint(res.StatusCode)
	}
	late := time.Now().Add(time.Hour)
	if got := get(ours.Client("reader.test", late)); got != "200" {
		t.Errorf("with the certificate: %s", got)
	}
	if got := get(ours.Client("writer.test", late)); got != "401" {
		t.Errorf("with one that has no rights: %s", got)
	}
	if got := get(); got != "401" {
		t.Errorf("with none: %s", got)
	}
	// Go's client leaves out a certificate whose issuer the server does not name; an attacker's would not.
	for what, cert := range map[string]tls.Certificate{"another authority's": theirs.Client("reader.test", late), "expired": ours.Client("reader.test", time.Now().Add(-time.Minute))} {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{
			RootCAs: ours.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
		})
		if err == nil {
			fmt.Fprint(conn, "GET /livez HTTP/1.0\r\n\r\n")
			_, err = io.ReadAll(conn)
			conn.Close()
		}
		if err == nil {
			t.Errorf("%s is let in", what)
		}
	}
}

// A session from before cannot be resumed under an authority that is believed no more.
func TestForgottenAuthorityVouchesForNobody(t *testing.T) {
	ours, theirs := pki.New(t, "ours"), pki.New(t, "theirs")
	none := access.None
	dir := t.TempDir()
	s, _ := secure(t, ours, server.Options{Anonymous: &none, TLS: server.TLSFiles{ClientCA: write(t, dir, "ca.pem", append(ours.PEM(), theirs.PEM()...))}})
	if err := s.Store().AddToken(store.Token{Name: "reader", Certificate: "reader.test", Allow: []string{"read"}, Created: time.Now()}, store.Author{Proven: "test"}); err != nil {
		t.Fatal(err)
	}
	cert := theirs.Client("reader.test", time.Now().Add(time.Hour))
	config := &tls.Config{
		RootCAs: ours.Pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
		VerifyConnection:     func(tls.ConnectionState) error { return nil },
	}
	ask := func() (code string, resumed bool) {
		conn, err := tls.Dial("tcp", s.Addr().String(), config)
		if err != nil {
			return "no connection", false
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /api/v1/namespaces HTTP/1.0\r\n\r\n")
		answer, err := io.ReadAll(conn)
		if err != nil || len(answer) < 12 {
			return "no answer", false
		}
		return string(answer[9:12]), conn.ConnectionState().DidResume
	}
	if code, _ := ask(); code != "200" {
		t.Fatalf("before: %s", code)
	}
	if _, resumed := ask(); !resumed {
		t.Fatal("the session is not resumed while nothing has changed: the test shows nothing")
	}
	write(t, dir, "ca.pem", ours.PEM())
	s.Reload()
	if code, resumed := ask(); code == "200" || resumed {
		t.Errorf("after its authority was taken away: %s, resumed %v", code, resumed)
	}
}

func write(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
