package httprpc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

type order struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
}

func TestJSONGoesThereAndBack(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			io.WriteString(w, `{"id":7,"title":"`+r.URL.RawQuery+r.Header.Get("Accept")+`"}`)
			return
		}
		if r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(415)
		}
		io.Copy(w, r.Body)
	})
	got, err := httprpc.GetJSON[order](t.Context(), f.transport, "ORDERS", "/orders/7?full=1")
	if want := (order{7, "full=1application/json"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	got, err = httprpc.PostJSON[order](t.Context(), f.transport, "orders", "orders", order{8, "x"})
	if want := (order{8, "x"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	f.serveFunc("empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	if got, err := httprpc.GetJSON[order](t.Context(), f.transport, "empty", "/"); err != nil || got != (order{}) {
		t.Errorf("no content: %+v, %v; want the zero value", got, err)
	}
}

func TestWhatIsNotTheJSONAskedForSaysWhatItIs(t *testing.T) {
	f := newFleet(t, nil)
	for _, c := range []struct {
		service, kind, body string
		status              int
		code                muster.Code
		text                string
	}{
		{"html", "text/html", "<html>Login</html>", 200, muster.Internal, "with HTML, not JSON: is the path right"},
		{"html404", "text/html", "<html>Not found</html>", 404, muster.NotFound, "a page of HTML: is the path right"},
		{"text", "text/plain", "hello", 200, muster.Internal, `not JSON: "hello"`},
		{"shape", "application/json", `{"id":"seven"}`, 200, muster.Internal, "another shape"},
		{"large", "application/json", `"` + strings.Repeat("x", 100) + `"`, 200, muster.Exhausted, "larger than 64 bytes"},
		{"problem", "application/problem+json", `{"title":"No","status":409,"detail":"it was sold"}`, 409, muster.Conflict, "answered 409 conflict: it was sold"},
		{"spring", "application/json", `{"status":400,"error":"Bad Request"}`, 400, muster.Invalid, "answered 400 bad request: Bad Request"},
		{"plain", "text/plain", "no\nway", 403, muster.Denied, `answered 403 forbidden: "no way"`},
		{"silent", "", "", 500, muster.Internal, "answered 500 internal server error"},
		{"moved", "", "", 302, muster.Unsupported, `redirects to "/elsewhere"`},
	} {
		f.serveFunc(c.service, func(w http.ResponseWriter, r *http.Request) {
			if c.kind != "" {
				w.Header().Set("Content-Type", c.kind)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		_, err := httprpc.DoJSON[order](t.Context(), f.transport, httprpc.Request{Service: c.service, Path: "/", Limit: 64})
		if muster.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "call "+c.service+"/127.0.0.1:") {
			t.Errorf("%s: error %v, want %s with %q", c.service, err, c.code, c.text)
		}
		se, ok := errors.AsType[*httprpc.StatusError](err)
		if ok != (c.status >= 300) || ok && (se.Status != c.status || string(se.Body) != c.body || se.Header.Get("Location") == "") {
			t.Errorf("%s: status error %+v", c.service, se)
		}
	}
	if n := f.busy(); n != 0 {
		t.Errorf("%d spans are open", n)
	}
}

func TestErrorBodiesAreCut(t *testing.T) {
	f := newFleet(t, nil)
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	_, err := httprpc.GetJSON[order](t.Context(), f.transport, "orders", "/")
	se, ok := errors.AsType[*httprpc.StatusError](err)
	if !ok || len(se.Body) != 4<<10 || len(err.Error()) > 1000 {
		t.Errorf("%v with %+v, want 4 KiB kept and less said", err, se)
	}
}

func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	f := newFleet(t, nil)
	var asked atomic.Int64
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 1 {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"id":`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{"id":7}`)
	})
	f.serveFunc("orders", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"id":7}`) })
	for i := range 6 {
		if got, err := httprpc.GetJSON[order](t.Context(), f.transport, "orders", "/"); err != nil || got.ID != 7 {
			t.Errorf("call %d: %+v, %v", i, got, err)
		}
	}
	if asked.Load() == 0 {
		t.Error("the instance that breaks off was never asked")
	}
}

func TestARequestThatCannotBeBuiltIsInvalid(t *testing.T) {
	f := newFleet(t, nil)
	for _, r := range []httprpc.Request{
		{Service: "", Path: "/"},
		{Service: "a/b", Path: "/"},
		{Service: "orders", Path: "/", Body: func() {}},
		{Service: "orders", Path: "/%zz"},
		{Service: "orders", Path: "/", Method: "B A D"},
	} {
		if _, err := httprpc.DoJSON[order](context.Background(), f.transport, r); !errors.Is(err, muster.Invalid) {
			t.Errorf("%+v: error %v, want invalid", r, err)
		}
	}
}
