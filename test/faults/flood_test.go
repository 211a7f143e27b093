package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// attack is one bad request; each is sent many times at once.
type attack struct {
	name, method, path string
	kind, coding       string // Content-Type, Content-Encoding
	body               []byte
	code               int // how it must be refused: for what is wrong with it, not for something else
}

const (
	nativeInstance = "/api/v1/namespaces/default/services/BAD/instances/1"
	nativeIntent   = nativeInstance + "/intent"
	nativeBeats    = "/api/v1/namespaces/default/heartbeats"
	eurekaApp      = "/eureka/apps/BAD"
	inJSON         = "application/json"
	inXML          = "application/xml"
	inFrame        = "application/vnd.muster.heartbeats"
)

// attacks returns every bad request. id is of an instance that lives.
func attacks(id string) []attack {
	status := "/eureka/apps/" + service + "/" + id + "/status"
	deepJSON := []byte(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000))
	deepInside := fmt.Appendf(nil, `{"instance":{"x":%s}}`, deepJSON)
	deepList := []byte(strings.Repeat("[", 900_000))
	deepXML := []byte("<instance>" + strings.Repeat("<a>", 200_000))
	huge := bytes.Repeat([]byte("x"), 8<<20)
	entities := []byte(`<?xml version="1.0"?><!DOCTYPE instance [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">` +
		`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><instance><hostName>&c;</hostName></instance>`)
	file := []byte(`<?xml version="1.0"?><!DOCTYPE instance [<!ENTITY x SYSTEM "file:///etc/hostname">]><instance><hostName>&x;</hostName></instance>`)
	list := []byte(`{"instance":{"instanceId":"1","app":"BAD","hostName":"h","ipAddr":"1.2.3.4","port":{"$":1,"@enabled":"true"},"dataCenterInfo":{"name":"MyOwn"},"metadata":["a","b"]}}`)
	return []attack{
		{"cut JSON, eureka", "POST", eurekaApp, inJSON, "", []byte(`{"instance":{"instanceId":"1","app":"BA`), 400},
		{"cut XML", "POST", eurekaApp, inXML, "", []byte(`<instance><instanceId>1</instanceId><app>BA`), 400},
		{"cut JSON, native", "PUT", nativeInstance, inJSON, "", []byte(`{"endpoints":[{"scheme":"http","addr`), 400},
		{"cut frame", "POST", nativeBeats, inFrame, "", []byte("mhb1\x03\x00\x00\x00abc"), 400},
		{"nothing at all, eureka", "POST", eurekaApp, inJSON, "", nil, 400},
		{"JSON called XML", "POST", eurekaApp, inXML, "", []byte(`{"instance":{}}`), 400},
		{"a list for metadata", "POST", eurekaApp, inJSON, "", list, 400},
		{"deep JSON, eureka", "POST", eurekaApp, inJSON, "", deepInside, 400},
		{"deep lists, eureka", "POST", eurekaApp, inJSON, "", deepList, 400},
		{"deep XML", "POST", eurekaApp, inXML, "", deepXML, 400},
		{"deep JSON, native", "PUT", nativeInstance, inJSON, "", deepJSON, 400},
		{"deep lists, native", "PUT", nativeIntent, inJSON, "", deepList, 400},
		{"entities", "POST", eurekaApp, inXML, "", entities, 400},
		{"entity of a file", "POST", eurekaApp, inXML, "", file, 400},
		{"huge, eureka JSON", "POST", eurekaApp, inJSON, "", huge, 413},
		{"huge, eureka XML", "POST", eurekaApp, inXML, "", huge, 413},
		{"huge, native", "PUT", nativeInstance, inJSON, "", huge, 413},
		{"huge intent", "PUT", nativeIntent, inJSON, "", huge, 413},
		{"huge frame", "POST", nativeBeats, inFrame, "", huge, 413},
		{"gzip bomb, eureka", "POST", eurekaApp, inJSON, "gzip", bomb(), 415},
		{"gzip bomb, eureka XML", "POST", eurekaApp, inXML, "gzip", bomb(), 415},
		{"gzip bomb, native", "PUT", nativeInstance, inJSON, "gzip", bomb(), 415},
		{"gzip that is none", "POST", eurekaApp, inJSON, "gzip", []byte("not gzip"), 415},
		{"not UTF-8", "PUT", nativeInstance, inJSON, "", []byte("{\"zone\":\"\xff\xfe\"}"), 400},
		{"an unknown instance's status", "PUT", eurekaApp + "/none/status?value=UP", "", "", nil, 404},
		{"a bad status", "PUT", status + "?value=MAYBE", "", "", nil, 400},
		{"a status that cannot be read", "PUT", status + "?value=%zz", "", "", nil, 400},
		{"a bad method", "PATCH", eurekaApp, inJSON, "", []byte("{}"), 405},
		{"an endless path", "GET", "/eureka/apps/" + strings.Repeat("x", 30_000), "", "", nil, 404},
		{"an endless watch", "GET", "/api/v1/namespaces/default/watch?" + strings.Repeat("service=x&", 3000), "", "", nil, 400},
		{"a bad watch", "GET", "/api/v1/namespaces/default/watch?wait=forever", "", "", nil, 400},
	}
}

// bomb is 64 MB of spaces in a JSON body, compressed to 64 kB.
func bomb() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		w.Write(block) // to memory: it cannot fail
	}
	w.Close()
	return b.Bytes()
}

// However bad the requests are and however many: each is refused for what is wrong with it, nothing of them stays in memory, and
// those who behave do not notice.
func TestFloodOfBadRequestsIsRefused(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	view := newRegistry(t, server.Addr)
	a, b := newTarget(t, view, service), newTarget(t, view, service)
	peer.Await(t, slack, "both instances", func() bool { return lists(view, service, a.Instance().ID, b.Instance().ID) })
	caller := newCaller(t, view)
	before, _ := memory(t, server.PID())

	const times = 5
	work := make(chan attack)
	var workers sync.WaitGroup
	var mu sync.Mutex // guards answered
	answered := map[string]int{}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 8 {
		workers.Go(func() {
			for x := range work {
				if refusedAs4xx(t, client, server.URL, x) {
					mu.Lock()
					answered[x.name]++
					mu.Unlock()
				}
			}
		})
	}
	all := attacks(a.Instance().ID)
	for range times {
		for _, x := range all {
			work <- x
		}
	}
	close(work)
	workers.Wait()
	for _, x := range all {
		if n := answered[x.name]; n == 0 || n < times && !x.mayBreak() {
			t.Errorf("%s: %d of %d were answered", x.name, n, times)
		}
	}

	_, most := memory(t, server.PID())
	if grown := (most - before) >> 20; grown > 128 {
		t.Errorf("the server grew by %d MB", grown)
	}
	t.Logf("%d bad requests; the server grew by %d MB", times*len(all), (most-before)>>20)
	stays(t, view, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
	if got := view.View().Table.Services; len(got) != 1 {
		t.Errorf("%d services, want %s alone", len(got), service)
	}
	caller.check(t)
}

// mayBreak reports whether the server need not read the body to its end before it refuses: it closes the connection under the
// rest then, and the answer may get lost on the way.
func (x attack) mayBreak() bool { return len(x.body) > 1<<20 || x.coding != "" }

// refusedAs4xx sends one bad request, checks its answer, and reports whether there was one.
func refusedAs4xx(t *testing.T, client *http.Client, url string, x attack) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, x.method, url+x.path, bytes.NewReader(x.body))
	if err != nil {
		t.Errorf("%s: %v", x.name, err)
		return false
	}
	req.Header.Set("If-Match", "0")
	for name, value := range map[string]string{"Content-Type": x.kind, "Content-Encoding": x.coding} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := client.Do(req)
	if err != nil {
		if !x.mayBreak() || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", x.name, err)
		}
		return false
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // what it says is only for the failure
	if res.StatusCode != x.code {
		t.Errorf("%s was answered %d %.300s, want %d", x.name, res.StatusCode, text, x.code)
	}
	return true
}

// Requests that never end are ended by the server, and until then cost little.
func TestRequestsThatNeverEndAreCutOff(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	view := newRegistry(t, server.Addr)
	a, b := newTarget(t, view, service), newTarget(t, view, service)
	peer.Await(t, slack, "both instances", func() bool { return lists(view, service, a.Instance().ID, b.Instance().ID) })
	caller := newCaller(t, view)
	before, _ := memory(t, server.PID())

	var slow sync.WaitGroup
	ended := make(chan string, 400)
	for n := range 100 {
		for name, head := range map[string]string{
			"headers":     "GET /eureka/apps HTTP/1.1\r\nHost: x\r\nX-Slow: ",
			"eureka body": "POST /eureka/apps/BAD HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
			"native body": "PUT " + nativeInstance + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
			"huma's body": "PUT " + nativeIntent + " HTTP/1.1\r\nHost: x\r\nIf-Match: 0\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
		} {
			slow.Go(func() {
				if answer, err := drip(server.Addr, head); err != nil {
					t.Errorf("%s %d: %v", name, n, err)
				} else {
					ended <- name + " " + answer
				}
			})
		}
	}
	slow.Wait()
	close(ended)
	answers := map[string]int{}
	for e := range ended {
		answers[e]++
		if _, answer, _ := strings.Cut(e, " HTTP/1.1 "); answer != "" && answer[0] != '4' {
			t.Errorf("answered %q", e)
		}
	}
	_, most := memory(t, server.PID())
	if grown := (most - before) >> 20; grown > 128 {
		t.Errorf("the server grew by %d MB", grown)
	}
	t.Logf("ended as %v; the server grew by %d MB", answers, (most-before)>>20)
	stays(t, view, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
	caller.check(t)
}

// drip sends the beginning of a request and then a byte every half second, until the server ends it. It returns the first line
// of the answer, if there was one.
func drip(addr, head string) (answer string, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(45 * time.Second)); err != nil {
		return "", err
	}
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	defer dripping.Wait()
	defer close(stop)
	dripping.Go(func() {
		if _, err := io.WriteString(conn, head); err != nil {
			return
		}
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
			case <-stop:
				return
			}
		}
	})
	text := make([]byte, 4096)
	n, err := conn.Read(text)
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		return "", fmt.Errorf("still open after 45 s")
	}
	line, _, _ := strings.Cut(string(text[:n]), "\r\n")
	return line, nil // an end without an answer will do
}
