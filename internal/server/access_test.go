package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// TestEveryRouteLetsInWhomTheMatrixNames sends every row of testdata/access as everybody.
func TestEveryRouteLetsInWhomTheMatrixNames(t *testing.T) {
	t.Parallel()
	who, rows := readMatrix(t)
	g := newGuests(t)
	<-time.After(time.Until(g.over))
	from := netip.MustParseAddr("10.0.0.0")
	for _, row := range rows {
		from = from.Next() // wrong credentials are counted by address
		for i, name := range who {
			r := row.request(t)
			r.RemoteAddr = from.String() + ":1"
			got := g.ask(name, r)
			if want := row.cells[i]; got.cell() != want {
				t.Errorf("%s as %s: answered %d %.200s, want %s", row.route, name, got.Code, got.Body, want)
			}
			if got.Code == http.StatusUnauthorized && len(got.Header()["Www-Authenticate"]) == 0 {
				t.Errorf("%s as %s: 401 does not say how to say who one is", row.route, name)
			}
		}
	}
}

// TestEveryRouteIsInTheMatrix fails for a route that somebody added without saying who may use it. Eureka's are compared in its
// own package.
func TestEveryRouteIsInTheMatrix(t *testing.T) {
	_, rows := readMatrix(t)
	listed := map[string]bool{}
	for _, row := range rows {
		method, path, _ := row.parts()
		listed[method+" "+path] = true
	}
	g := newGuests(t)
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(g.ask("admin", httptest.NewRequest("GET", "/api/v1/openapi.json", nil)).Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Paths) < 10 {
		t.Fatalf("the document has %d paths", len(doc.Paths))
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if route := strings.ToUpper(method) + " " + path; !listed[route] {
				t.Errorf("%s is not in testdata/access: write down who may", route)
			}
		}
	}
	for _, path := range append(g.servers["none"].OwnPaths(), "/api/v1/openapi.json", "/api/v1/docs") {
		if route := "GET " + strings.TrimSuffix(path, "{$}"); !listed[route] {
			t.Errorf("%s is not in testdata/access: write down who may", route)
		}
	}
}

// TestNamespacesOfOthersAreLeftOut compares what the pages about the whole server show to somebody of one namespace.
func TestNamespacesOfOthersAreLeftOut(t *testing.T) {
	g := newGuests(t)
	for _, path := range []string{"/api/v1/status", "/api/v1/namespaces", "/?namespace=prod"} {
		for name, want := range map[string][]bool{"prod": {true, false}, "read": {true, true}} {
			body := g.ask(name, httptest.NewRequest("GET", path, nil)).Body.String()
			for i, namespace := range []string{"prod", "secret"} {
				if strings.Contains(body, namespace) != want[i] {
					t.Errorf("%s as %s: shows %s: %v, want %v\n%s", path, name, namespace, !want[i], want[i], body)
				}
			}
		}
	}
	var status struct{ Instances, Services int }
	if err := json.Unmarshal(g.ask("prod", httptest.NewRequest("GET", "/api/v1/status", nil)).Body.Bytes(), &status); err != nil || status.Instances != 2 || status.Services != 2 {
		t.Errorf("prod's status counts others: %+v, %v", status, err)
	}
}

func TestHealthzSaysWhyToThoseWhoMayReadAlone(t *testing.T) {
	g := newGuests(t)
	g.servers["none"].Store() // it is UP: what is compared is the shape
	for _, name := range []string{"none", "read", "wrong"} {
		got := g.ask(name, httptest.NewRequest("GET", "/healthz", nil))
		if got.Code != 200 || strings.TrimSpace(got.Body.String()) != `{"status":"UP"}` {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

// guests are everybody who asks, and three servers with the same tokens.
type guests struct {
	servers map[string]*server.Server // by --anonymous
	tokens  map[string]string         // by who
	over    time.Time                 // when the one of expired is
}

func newGuests(t *testing.T) *guests {
	t.Helper()
	g := &guests{servers: map[string]*server.Server{}, tokens: map[string]string{"wrong": "mst_wrong"}}
	for _, level := range []access.Level{access.None, access.ReadOnly, access.All} {
		s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Anonymous: &level})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		<-s.Store().Loaded()
		g.servers[level.String()] = s
	}
	g.over = time.Now().Add(2 * time.Second)
	st := g.servers["none"].Store()
	for name, allow := range map[string]string{
		"read": "read", "register": "register", "operate": "operate", "admin": "admin", "ORD*": "register:ORD*", "PAY": "register:PAY operate:PAY",
		"prod": "read register operate", "test": "read register operate", "expired": "admin", "revoked": "admin", "cert": "register:ORDERS",
	} {
		text, hash := access.NewToken()
		token := store.Token{Name: "t-" + strings.TrimSuffix(name, "*"), Hash: hash, Allow: strings.Fields(allow), Created: time.Now()}
		switch name {
		case "prod", "test":
			token.Namespace = name
		case "expired":
			token.Expires = g.over
		case "cert":
			token.Hash, token.Certificate = [32]byte{}, "orders.example"
		}
		if err := st.AddToken(token, store.Author{Proven: "test"}); err != nil {
			t.Fatal(err)
		}
		g.tokens[name] = text
	}
	if err := st.RemoveToken("t-revoked", store.Author{Proven: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, k := range []muster.Key{{Namespace: "prod", Service: "ORDERS", ID: "native"}, {Namespace: "prod", Service: "ADDRESSES", ID: "1"}, {Namespace: "secret", Service: "PLANS", ID: "1"}} {
		for _, s := range g.servers {
			g.put(t, s, k)
		}
	}
	return g
}

func (g *guests) put(t *testing.T, s *server.Server, k muster.Key) {
	t.Helper()
	_, err := s.Store().Update(k, func(*store.Record) (*store.Record, error) {
		return &store.Record{TTL: time.Hour, Instance: &muster.Instance{
			Namespace: k.Namespace, Service: k.Service, ID: k.ID, Status: muster.Up, Owner: "me", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}},
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type reply struct{ *httptest.ResponseRecorder }

// cell is what the matrix calls an answer.
func (r reply) cell() string {
	switch r.Code {
	case http.StatusUnauthorized:
		return "1"
	case http.StatusForbidden:
		return "3"
	case http.StatusMethodNotAllowed, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable:
		return http.StatusText(r.Code) // no route, or not the door's answer
	}
	return "+"
}

func (g *guests) ask(who string, r *http.Request) reply {
	s := g.servers["none"]
	switch who {
	case "none", "ro", "all":
		s = g.servers[strings.Replace(who, "ro", "read", 1)]
	case "cert":
		leaf := &x509.Certificate{DNSNames: []string{"orders.example"}, NotAfter: time.Now().Add(time.Hour)}
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
	default:
		r.Header.Set("Authorization", "Bearer "+g.tokens[who])
	}
	if strings.HasSuffix(r.URL.Path, "/native") { // earlier rows may have taken it away
		if _, err := s.Store().Update(muster.Key{Namespace: "prod", Service: "ORDERS", ID: "native"}, func(old *store.Record) (*store.Record, error) {
			if old != nil {
				return old, nil
			}
			return &store.Record{TTL: time.Hour, Instance: &muster.Instance{Namespace: "prod", Service: "ORDERS", ID: "native", Status: muster.Up, Owner: "me"}}, nil
		}); err != nil {
			panic(err)
		}
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return reply{w}
}

// row is one line of the matrix.
type row struct {
	route string // METHOD PATH[?QUERY][ as MEDIA-TYPE]
	cells []string
}

func (r row) parts() (method, path, rest string) {
	method, path, _ = strings.Cut(r.route, " ")
	path, _, _ = strings.Cut(path, " as ")
	path, rest, _ = strings.Cut(path, "?")
	return method, path, rest
}

func (r row) request(t *testing.T) *http.Request {
	t.Helper()
	method, path, query := r.parts()
	_, kind, _ := strings.Cut(r.route, " as ")
	if query != "" {
		path += "?" + query
	}
	path = strings.NewReplacer("{namespace}", "prod", "{service}", "ORDERS", "{id}", "i1", "{name}", "nobody").Replace(path)
	body := ""
	switch {
	case kind == "static":
		kind, body = "application/json", `{"static":true,"endpoints":[{"scheme":"http","address":"10.0.0.9:80"}]}`
	case kind == "application/vnd.muster.heartbeats":
		body = "mhb1\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	case kind == "application/json":
		body = `{"items":[{"service":"ORDERS","id":"i1","owner":"me"}]}`
	case method == "POST" && strings.HasSuffix(path, "/tokens"):
		body = `{"name":"t-admin","allow":["read"]}` // which is there already
	case method == "POST":
		body = `{"instance":{"app":"ORDERS","instanceId":"i1","hostName":"h","ipAddr":"10.0.0.1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`
	case method == "PUT" && strings.HasSuffix(path, "/override"):
		body = `{"status":"up"}`
	case method == "PUT" && strings.HasPrefix(path, "/api/"):
		body = `{}`
	}
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", kind)
		if kind == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	return req
}

// readMatrix reads testdata/access: a line of names, then a line for each route.
func readMatrix(t *testing.T) (who []string, rows []row) {
	t.Helper()
	text, err := os.ReadFile("testdata/access")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if who == nil {
			who = fields[1:]
			continue
		}
		split := len(fields) - len(who)
		if split < 2 || slices.ContainsFunc(fields[split:], func(c string) bool { return c != "+" && c != "1" && c != "3" }) {
			t.Fatalf("testdata/access: %q has not %d cells of +, 1, 3", line, len(who))
		}
		rows = append(rows, row{strings.Join(fields[:split], " "), fields[split:]})
	}
	if len(rows) == 0 {
		t.Fatal("testdata/access has no rows")
	}
	return who, rows
}
