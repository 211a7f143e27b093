package attacks

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/test/pki"
)

func TestOtherSitesCannotWrite(t *testing.T) {
	g := newTarget(t, "--anonymous", "all") // as on a developer's loopback, where a page in the browser is the attacker
	for _, w := range []struct{ method, path, body, kind string }{
		{"PUT", secret, lease, "text/plain"},
		{"DELETE", secret, "", ""},
		{"PUT", secret + "/intent", `{"enabled":false}`, "application/json"},
		{"PUT", secret + "/override", `{"status":"down"}`, "application/json"},
		{"POST", "/api/v1/namespaces/prod/heartbeats", "x", "text/plain"},
		{"POST", "/api/v1/tokens", `{"name":"x","allow":["admin"]}`, "text/plain"},
		{"DELETE", "/api/v1/tokens/admin", "", ""},
		{"POST", "/ns/prod/eureka/apps/PLANS", "a=b", "application/x-www-form-urlencoded"},
		{"PUT", "/ns/prod/eureka/apps/PLANS/secret-1/status?value=DOWN", "", ""},
		{"DELETE", "/ns/prod/eureka/apps/PLANS/secret-1", "", ""},
		{"PUT", "/ns/prod/eureka/apps/PLANS/secret-1/metadata?a=b", "", ""},
		{"PUT", "/ns/prod/eureka/apps/PLANS/secret-1", "", ""},
	} {
		for _, origin := range [][]string{
			{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"},
			{"Origin", "http://127.0.0.1:1"}, {"Origin", g.URL + ".evil.example"},
		} {
			if code, answer := g.do(w.method, w.path, "", w.body, append(origin, "Content-Type", w.kind, "If-Match", "0")...); code != 403 && code != 401 {
				t.Errorf("%s %s with %v: %d %s", w.method, w.path, origin, code, answer)
			}
		}
		// The preflight of a page that would set a header: do sees to it that no answer allows anything.
		g.do("OPTIONS", w.path, "", "", "Origin", "https://evil.example", "Access-Control-Request-Method", w.method, "Access-Control-Request-Headers", "authorization")
	}
	g.intact()
}

func TestForeignNamesOfTheServerAreRefusedToBrowsers(t *testing.T) {
	g := newTarget(t, "--anonymous", "all", "--hosts", "registry.example")
	for _, browser := range []string{"Sec-Fetch-Site: same-origin", "Origin: http://rebound.example", "User-Agent: Mozilla/5.0"} {
		for _, path := range []string{"/", "/api/v1/namespaces/prod/instances", "/ns/prod/eureka/apps", "/metrics"} {
			for _, host := range []string{"rebound.example", "127.0.0.1.rebound.example:8761", "registry.example.evil", "localhost.evil:80", ""} {
				answer := g.raw("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + browser + "\r\n\r\n")
				if !strings.HasPrefix(answer, "HTTP/1.1 421 ") {
					t.Errorf("%s of %q with %v: %.100s", path, host, browser, answer)
				}
			}
		}
	}
	g.want(200, "GET", "/", "", "", "Host", "registry.example", "User-Agent", "Mozilla/5.0")
}

func TestSmugglingShapesAreRefused(t *testing.T) {
	g := newTarget(t)
	auth := "Host: x\r\nAuthorization: Bearer " + g.admin + "\r\n"
	post := "POST /api/v1/namespaces/prod/heartbeats HTTP/1.1\r\n" + auth
	inner := "DELETE " + secret + " HTTP/1.1\r\n" + auth + "\r\n"
	for what, text := range map[string]string{
		"both lengths":             post + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", len(inner)+5) + inner,
		"two lengths":              post + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + inner,
		"a length with a sign":     post + "Content-Length: +0\r\n\r\n" + inner,
		"an encoding that is no":   post + "Transfer-Encoding: xchunked\r\n\r\n" + inner,
		"two encodings":            post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner,
		"a folded header":          "GET /livez HTTP/1.1\r\n" + auth + "X: a\r\n Transfer-Encoding: chunked\r\n\r\n",
		"a blank before a colon":   post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
		"a bare carriage return":   "GET /livez HTTP/1.1\r\n" + auth + "X: a\rTransfer-Encoding: chunked\r\n\r\n",
		"a NUL in a header":        "GET /livez HTTP/1.1\r\n" + auth + "X: a\x00b\r\n\r\n",
		"a chunk that is too long": post + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + inner,
		"a chunk without its end":  post + "Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n" + inner,
		"two hosts":                "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	} {
		answer := g.raw(text)
		if n := strings.Count(answer, "HTTP/1.1 "); n > 1 || strings.Contains(answer, "HTTP/1.1 204") {
			t.Errorf("%s: %d answers: %s", what, n, answer)
		}
	}
	g.intact()
}

func TestOversizedRequestsAreRefused(t *testing.T) {
	g := newTarget(t)
	const mib = 1 << 20
	if answer := g.rawAnswered("GET /livez HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 200<<10) + "\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("200 KiB of headers: %.60s", answer)
	}
	if answer := g.rawAnswered("GET /" + strings.Repeat("a", 200<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 4") {
		t.Errorf("a path of 200 KiB: %.60s", answer)
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(z, zeros{}, 64*mib); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"a":`, 200_000)
	entities := `<?xml version="1.0"?><!DOCTYPE i [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]><instance><app>&b;&c;</app></instance>`
	const eureka = "/ns/prod/eureka/apps/X"
	for _, x := range []struct{ what, method, path, body, kind, encoding string }{
		{"2 MiB", "PUT", secret, strings.Repeat(" ", 2*mib), "application/json", ""},
		{"2 MiB", "POST", eureka, strings.Repeat(" ", 2*mib), "application/json", ""},
		{"2 MiB", "POST", "/api/v1/tokens", strings.Repeat(" ", 2*mib), "application/json", ""},
		{"deep JSON", "PUT", secret, deep, "application/json", ""},
		{"deep JSON", "PUT", secret + "/intent", deep, "application/json", ""},
		{"deep JSON", "POST", eureka, deep, "application/json", ""},
		{"deep XML", "POST", eureka, strings.Repeat("<a>", 200_000), "application/xml", ""},
		{"XML entities", "POST", eureka, entities, "application/xml", ""},
		{"gzip bomb", "PUT", secret, bomb.String(), "application/json", "gzip"},
		{"gzip bomb", "POST", eureka, bomb.String(), "application/json", "gzip"},
		{"many heartbeats", "POST", "/api/v1/namespaces/prod/heartbeats", "mhb1\xff\xff\xff\xff", beats, ""},
	} {
		code, answer, err := g.send(x.method, x.path, g.admin, x.body, "Content-Type", x.kind, "Content-Encoding", x.encoding, "If-Match", "0")
		for try := 0; err != nil && try < 5; try++ { // the server ends what it does not read: the reset may overtake its answer
			code, answer, err = g.send(x.method, x.path, g.admin, x.body, "Content-Type", x.kind, "Content-Encoding", x.encoding, "If-Match", "0")
		}
		if err != nil {
			t.Fatalf("%s on %s: %v", x.what, x.path, err)
		}
		if code < 400 || code >= 500 || strings.Contains(answer, "root:") || len(answer) > 4096 {
			t.Errorf("%s on %s: %d %.200s", x.what, x.path, code, answer)
		}
	}
	g.intact()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestSlowSendersAreLetGo(t *testing.T) {
	g := newTarget(t)
	var conns []net.Conn
	for i := range 50 {
		conn, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := "GET /livez HTTP/1.1\r\nHost: x\r\nX: "
		if i%2 == 1 {
			text = "PUT " + secret + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + g.admin + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	deadline := time.Now().Add(60 * time.Second)
	for open := len(conns); open > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d slow connections are still open after a minute", open)
		}
		g.want(200, "GET", "/readyz", "", "") // others are served meanwhile
		open = 0
		for _, conn := range conns {
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := io.Copy(io.Discard, conn)
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				_, _ = io.WriteString(conn, "a") // one byte more, for as long as it is taken
				open++
			}
		}
	}
}

func TestHTTP2FloodsEnd(t *testing.T) {
	g := newTarget(t)
	cert, key := pki.New(t, "ca").Files(t.TempDir())
	p := second(t, g, "--tls-cert", cert, "--tls-key", key)
	headers := []byte{0x82, 0x87, 0x84, 0x41, 0x01, 'x'}                                                           // GET, https, /, authority x: HPACK's static table
	piece := append([]byte{0x00, 0x04, 'x', '-', 'a', 'b', 0x7f, 0x81, 0x7c}, bytes.Repeat([]byte{'a'}, 16000)...) // a literal header of 16,000 bytes
	for what, flood := range map[string]func(w io.Writer) error{
		"rapid reset": func(w io.Writer) error {
			for i := range uint32(100_000) {
				if err := errors.Join(frame(w, 0x1, 0x5, 2*i+1, headers), frame(w, 0x3, 0, 2*i+1, []byte{0, 0, 0, 8})); err != nil {
					return err
				}
			}
			return nil
		},
		"continuation": func(w io.Writer) error {
			if err := frame(w, 0x1, 0x1, 1, headers); err != nil { // no END_HEADERS
				return err
			}
			for range 4000 {
				if err := frame(w, 0x9, 0, 1, piece); err != nil {
					return err
				}
			}
			return nil
		},
		"pings": func(w io.Writer) error {
			for range 200_000 {
				if err := frame(w, 0x6, 0, 0, make([]byte, 8)); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		conn, err := tls.Dial("tcp", p.Addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := frame(conn, 0x4, 0, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := flood(conn); err == nil && what == "continuation" { // the others are short work; what is gathered of them shows in the memory
			t.Error("the server took a header of 64 MiB")
		}
		conn.Close()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
		res, err := client.Get(p.URL + "/livez")
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: afterwards: %v, %v", what, res, err)
		}
		res.Body.Close()
	}
	if rss := resident(t, p.PID()); rss > 300<<20 {
		t.Errorf("%d MiB are resident after the floods", rss>>20)
	}
}

// frame writes one frame of HTTP/2.
func frame(w io.Writer, kind, flags byte, stream uint32, payload []byte) error {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	b = binary.BigEndian.AppendUint32(b, stream)
	_, err := w.Write(append(b, payload...))
	return err
}
