package remote_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/registry/remote"
)

func instance(service, id string) *muster.Instance {
	return &muster.Instance{
		Namespace: "default", Service: service, ID: id, Owner: "me", Status: muster.Up,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}},
	}
}

func openOn(t *testing.T, opt remote.Options) *remote.Driver {
	t.Helper()
	d, err := remote.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// What answers may be something else than muster serve. Each error must say what came and what is likely wrong, and no table
// may be made of it.
func TestAnswersOfStrangersAreExplained(t *testing.T) {
	say := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, text)
		}
	}
	events := func(text string) http.HandlerFunc { return say(200, nativewire.EventType, text) }
	for _, x := range []struct {
		name    string
		handler http.HandlerFunc
		code    muster.Code
		watch   string // a word of Watch's error
		other   string // a word of the others' errors
	}{
		{"an HTML page", say(200, "text/html; charset=utf-8", "<!doctype html><html>welcome"), muster.Unavailable, "HTML", "is this its address"},
		{"an HTML 404", say(404, "text/html", "<html>not here"), muster.Unavailable, "answered HTML", "answered HTML"},
		{"a text 404", say(404, "text/plain", "404 page not found"), muster.Unavailable, "404 page not found", "404 page not found"},
		{"a proxy's 502", say(502, "text/html", "<html>bad gateway"), muster.Unavailable, "502", "502"},
		{"a proxy's 401", say(401, "text/plain", "who are you"), muster.Denied, "proxy", "proxy"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/x", http.StatusFound)
		}, muster.Unavailable, "elsewhere.example", "elsewhere.example"},
		{"other JSON", say(200, "application/json", `{"applications":{}}`), muster.Unavailable, "address of muster serve", "none"},
		{"nothing", say(200, "", ""), muster.Unavailable, "address of muster serve", "address"},
		{"a problem of ours", say(503, nativewire.ProblemType, `{"code":"unavailable","detail":"loading","after":"2s"}`), muster.Unavailable, "loading", "loading"},
		{"a problem of another's", say(503, nativewire.ProblemType, `{"title":"overload"}`), muster.Unavailable, "overload", "overload"},
		{"a code of the future", say(418, nativewire.ProblemType, `{"code":"teapot","detail":"short and stout"}`), muster.Invalid, "stout", "stout"},
		{"an endless answer", say(200, "application/json", strings.Repeat(" ", 5<<20)), muster.Unavailable, "address", "more than"},
		{"a stream of HTML", events("<html>\n<body>\n"), muster.Unavailable, "not an event stream", ""},
		{"an empty stream", events(""), muster.Unavailable, "ended the stream", ""},
		{"a stream cut in a list", events("event: reset\ndata: {\"services\":1,\"instances\":1}\n\n"), muster.Unavailable, "ended the stream", ""},
		{"a list too short", events("event: reset\ndata: {\"services\":1,\"instances\":1}\n\nid: 1.1\nevent: sync\ndata: {}\n\n"), muster.Unavailable, "0 came", ""},
		{"changes without a list", events("id: 1.1\nevent: sync\ndata: {}\n\n"), muster.Unavailable, "without the list", ""},
		{"a confirmation of nothing", events("id: 1.1\nevent: confirm\ndata: {}\n\n"), muster.Unavailable, "confirmed", ""},
		{"an unreadable instance", events("event: reset\ndata: {\"instances\":1}\n\nevent: put\ndata: []\n\nid: 1.1\nevent: sync\ndata: {}\n\n"), muster.Unavailable, "put", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			srv := httptest.NewServer(x.handler)
			defer srv.Close()
			d := openOn(t, remote.Options{Hosts: []string{srv.Listener.Addr().String()}})
			err := d.Watch(t.Context(), nil, nil, func(table *muster.Table) { t.Errorf("a table was made of it: %+v", table) })
			explained(t, "Watch", err, x.code, x.watch)
			if x.other == "" {
				return
			}
			_, err = d.Register(t.Context(), instance("orders", "1"), time.Minute)
			explained(t, "Register", err, x.code, x.other)
			if x.name == "other JSON" {
				return // an empty list of services, as far as that goes
			}
			_, err = d.Services(t.Context())
			if !strings.Contains(x.name, "endless") {
				explained(t, "Services", err, x.code, x.other)
			}
		})
	}
}

func explained(t *testing.T, what string, err error, code muster.Code, says string) {
	t.Helper()
	if muster.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v (code %q), want %q and a word about %q", what, err, muster.CodeOf(err), code, says)
	}
	if len(err.Error()) > 1000 {
		t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
	}
}

func TestTLSOnOneSideOnlyIsExplained(t *testing.T) {
	handler := http.NotFoundHandler()
	plain, sealed := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	sealed.Config.ErrorLog = quiet()
	sealed.StartTLS()
	defer plain.Close()
	defer sealed.Close()
	tls := sealed.Client().Transport.(*http.Transport).TLSClientConfig
	for want, opt := range map[string]remote.Options{
		"musters:// instead of muster://": {Hosts: []string{sealed.Listener.Addr().String()}},
		"muster:// instead of musters://": {Hosts: []string{plain.Listener.Addr().String()}, TLS: tls},
	} {
		_, err := openOn(t, opt).Services(t.Context())
		explained(t, "Services", err, muster.Unavailable, want)
	}
}

func TestDeadHostIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	_, err = openOn(t, remote.Options{Hosts: []string{addr}}).Services(t.Context())
	explained(t, "Services", err, muster.Unavailable, addr)
}

func TestOptionsThatAreWrongAreRefused(t *testing.T) {
	for _, opt := range []remote.Options{{}, {Hosts: []string{"h"}}, {Hosts: []string{"h:1"}, Namespace: "a b"}} {
		if _, err := remote.Open(opt); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%+v: %v, want invalid", opt, err)
		}
	}
}
