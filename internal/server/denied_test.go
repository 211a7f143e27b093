package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/test/pki"
)

// record is a log that may be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) has(words ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestEveryFacesDenialsAreInTheLog(t *testing.T) {
	none, log := access.None, new(record)
	s, client := start(t, server.Options{Anonymous: &none, Log: slog.New(slog.NewTextHandler(log, nil))})
	for i, path := range []string{"/api/v1/namespaces/default/services", "/eureka/apps", "/metrics"} {
		header := fmt.Sprintf("Bearer mst_wrong%d", i)
		if i == 2 {
			header = ""
		}
		req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := "no token was shown"
		if header != "" {
			req.Header.Set("Authorization", header)
			want = "no token of muster serve"
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s: %s", path, res.Status)
		}
		if i != 1 { // that one is the same of the same
			await(t, path+" in the log", func() bool {
				return log.has("level=WARN", "denied", "address=127.0.0.1", want, "GET "+path)
			})
		}
	}
	if strings.Contains(log.String(), "mst_wrong") {
		t.Errorf("the log has what was shown:\n%s", log)
	}
}

func TestCertificateThatIsNotLetInIsNamed(t *testing.T) {
	ours, theirs := pki.New(t, "ours"), pki.New(t, "theirs")
	none, log := access.None, new(record)
	s, _ := secure(t, ours, server.Options{
		Anonymous: &none, Log: slog.New(slog.NewTextHandler(log, nil)), TLS: server.TLSFiles{ClientCA: write(t, t.TempDir(), "ca.pem", ours.PEM())},
	})
	late := time.Now().Add(time.Hour)
	res, err := over(t, ours, ours.Client("other.example", late)).Get(s.URL() + "/api/v1/namespaces/default/services")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "certificate other.example has no rights here") {
		t.Errorf("without rights: %s %s", res.Status, text)
	}
	await(t, "the certificate in the log", func() bool { return log.has("who=other.example", "it may: nothing") })

	stranger := theirs.Client("reader.test", late)
	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{
		RootCAs: ours.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil },
	})
	if err == nil {
		_, _ = io.ReadAll(conn)
		conn.Close()
	}
	await(t, "the stranger's certificate in the log", func() bool { return log.has("level=WARN", "address=127.0.0.1", "--client-ca vouches") })
}
