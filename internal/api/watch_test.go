package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

const watchPath = "/api/v1/namespaces/default/watch"

// watcher is a client of the stream on a real socket.
type watcher struct {
	*face
	res    *http.Response
	events *nativewire.EventReader
	cancel context.CancelFunc
}

// serve puts the face on a socket.
func (f *face) serve() string {
	f.Helper()
	srv := httptest.NewServer(f.api)
	f.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

func (f *face) watch(url, query string, headers ...string) *watcher {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, "GET", url+watchPath+query, nil)
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		f.Fatal(err)
	}
	w := &watcher{face: f, res: res, events: nativewire.NewEventReader(res.Body), cancel: cancel}
	f.Cleanup(w.close)
	return w
}

func (w *watcher) close() {
	w.cancel()
	_ = w.res.Body.Close()
}

// until reads events up to the next sync or confirm, and returns them as words: "put 1", "delete 1", "sync".
func (w *watcher) until() (words, id string) {
	w.Helper()
	var out []string
	for {
		ev, err := w.events.Next()
		if err != nil {
			w.Fatalf("after %q: %v", out, err)
		}
		switch ev.Kind {
		case nativewire.Put:
			in, err := ev.DecodeInstance()
			if err != nil {
				w.Fatal(err)
			}
			out = append(out, "put "+in.ID)
		case nativewire.Delete:
			gone, err := ev.DecodeDeleted()
			if err != nil {
				w.Fatal(err)
			}
			out = append(out, "delete "+gone.ID)
		case nativewire.Reset:
			l, err := ev.DecodeListing()
			if err != nil {
				w.Fatal(err)
			}
			out = append(out, fmt.Sprintf("reset %d/%d", l.Services, l.Instances))
		default:
			return strings.Join(append(out, ev.Kind), ", "), ev.ID
		}
	}
}

func (w *watcher) wants(want string) (id string) {
	w.Helper()
	got, id := w.until()
	if got != want {
		w.Fatalf("events %q, want %q", got, want)
	}
	return id
}

func TestWatchListsThenFollows(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	w := f.watch(f.serve(), "")
	if got := w.res.Header.Get("Content-Type"); got != nativewire.EventType {
		t.Errorf("type %q", got)
	}
	w.wants("reset 1/1, put 1, sync")
	f.want(200, "PUT", orders+"/2", body)
	w.wants("put 2, sync")
	f.want(204, "DELETE", one+"?owner=me", "")
	w.wants("delete 1, sync")
	f.want(200, "PUT", orders+"/2/intent", `{"enabled":false}`, "If-Match", "0")
	w.wants("put 2, sync")
}

func TestWatchConfirmsWhenNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		events := f.pipe("")
		var id string
		for _, want := range []string{nativewire.Reset, nativewire.Sync} {
			ev, err := events.Next()
			if err != nil || ev.Kind != want {
				t.Fatalf("event %+v, %v; want %s", ev, err, want)
			}
			id = ev.ID
		}
		for range 3 {
			start := time.Now()
			ev, err := events.Next()
			if err != nil || ev.Kind != nativewire.Confirm || ev.ID != id {
				t.Fatalf("event %+v, %v; want %s confirmed", ev, err, id)
			}
			if took := time.Since(start); took != api.ConfirmEvery {
				t.Errorf("a confirmation took %v, want %v", took, api.ConfirmEvery)
			}
		}
	})
}

// pipe watches without a socket, through a writer that refuses deadlines, as recorders do. It ends with the test.
func (f *face) pipe(query string) *nativewire.EventReader {
	ctx, cancel := context.WithCancel(f.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", watchPath+query, nil)
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.api.ServeHTTP(&pipeWriter{header: http.Header{}, conn: b}, r)
	}()
	f.Cleanup(func() {
		cancel()
		_, _ = a.Close(), b.Close()
		<-done
	})
	return nativewire.NewEventReader(a)
}

func TestWatchResumesWhereItBrokeOff(t *testing.T) {
	f := newFace(t, api.Options{})
	url := f.serve()
	f.want(200, "PUT", one, body)
	w := f.watch(url, "")
	id := w.wants("reset 1/1, put 1, sync")
	w.close()
	f.watch(url, "?since="+id).wants("confirm")
	f.want(200, "PUT", orders+"/2", body)
	f.want(204, "DELETE", one+"?owner=me", "")
	f.want(200, "PUT", "/api/v1/namespaces/default/services/STOCK/instances/9", body)
	f.watch(url, "?since="+id).wants("put 2, delete 1, put 9, sync")
	f.watch(url, "?since=0.0", "Last-Event-ID", id).wants("put 2, delete 1, put 9, sync")
	f.watch(url, "?service=stock&since="+id).wants("put 9, sync")
	f.watch(url, "?service=nobody&since="+id).wants("confirm")
}

func TestWatchWithoutProofOfContinuityListsAnew(t *testing.T) {
	f := newFace(t, api.Options{})
	url := f.serve()
	f.want(200, "PUT", one, body)
	id := f.watch(url, "").wants("reset 1/1, put 1, sync")
	at, _ := nativewire.ParsePosition(id)
	for _, since := range []string{
		"nonsense", "", nativewire.Position{Epoch: at.Epoch + 1, Seq: at.Seq}.String(), nativewire.Position{Epoch: at.Epoch, Seq: at.Seq + 1}.String(),
	} {
		f.watch(url, "?since="+since).wants("reset 1/1, put 1, sync")
	}
}

func TestWatcherTooFarBehindTheFeedIsListedAnew(t *testing.T) {
	s, err := store.Open(store.Options{Retention: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &face{T: t, store: s, api: api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})})}
	url := f.serve()
	f.want(200, "PUT", orders+"/0", body)
	id := strings.Trim(f.want(200, "GET", "/api/v1/namespaces/default/instances", "").Header().Get("ETag"), `"`)
	for i := range 10_000 {
		f.put(i)
	}
	if got, _ := f.watch(url, "?since="+id).until(); !strings.HasPrefix(got, "reset 1/10000, put 0, ") {
		t.Errorf("10000 changes behind, it reads %.60q, want the list", got)
	}
}

// put registers the i-th instance behind the API's back.
func (f *face) put(i int) {
	f.Helper()
	in := &muster.Instance{
		Namespace: "default", Service: "ORDERS", ID: fmt.Sprint(i), Owner: "me", Status: muster.Up,
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}},
	}
	_, err := f.store.Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: in, TTL: time.Minute}, nil
	})
	if err != nil {
		f.Fatal(err)
	}
}

func TestWatchOfAScopeHearsNothingElse(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	f.want(200, "PUT", "/api/v1/namespaces/default/services/STOCK/instances/9", body)
	url := f.serve()
	w, none := f.watch(url, "?service=orders&service=absent"), f.watch(url, "?service=")
	w.wants("reset 1/1, put 1, sync")
	none.wants("reset 0/0, sync")
	f.want(200, "PUT", "/api/v1/namespaces/default/services/STOCK/instances/8", body)
	f.want(200, "PUT", "/api/v1/namespaces/other/services/ORDERS/instances/7", body)
	f.want(200, "PUT", orders+"/2", body)
	w.wants("put 2, sync")
	f.want(200, "PUT", "/api/v1/namespaces/default/services/Absent/instances/3", body)
	w.wants("put 3, sync")
}

// Silence is how a client knows a dead connection, so what happens to others must not make a stream silent.
func TestWatchOfAScopeIsConfirmedHoweverBusyTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, api.Options{})
		events := f.pipe("?service=quiet")
		for _, want := range []string{nativewire.Reset, nativewire.Sync} {
			if ev, err := events.Next(); err != nil || ev.Kind != want {
				t.Fatalf("event %+v, %v; want %s", ev, err, want)
			}
		}
		var busy sync.WaitGroup
		defer busy.Wait()
		busy.Go(func() {
			for i := range 20 {
				time.Sleep(time.Second)
				f.put(i)
			}
		})
		for range 3 {
			start := time.Now()
			ev, err := events.Next()
			if err != nil || ev.Kind != nativewire.Confirm {
				t.Fatalf("event %+v, %v; want a confirmation", ev, err)
			}
			if took := time.Since(start); took > api.ConfirmEvery {
				t.Errorf("a confirmation took %v, want at most %v", took, api.ConfirmEvery)
			}
		}
	})
}

func TestWatchersAreBounded(t *testing.T) {
	f := newFace(t, api.Options{MaxWatchers: 2})
	url := f.serve()
	a, b := f.watch(url, ""), f.watch(url, "")
	a.wants("reset 0/0, sync")
	b.wants("reset 0/0, sync")
	w := f.do("GET", watchPath, "")
	f.problem(w, http.StatusServiceUnavailable, muster.Unavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("the refusal does not say when to come back")
	}
	a.close()
	for f.do("HEAD", watchPath, "").Code != 200 {
		if f.Context().Err() != nil {
			t.Fatal("a place that became free is not given to another")
		}
	}
	f.watch(url, "").wants("reset 0/0, sync")
}

func TestWatchEndsWithTheStore(t *testing.T) {
	f := newFace(t, api.Options{})
	w := f.watch(f.serve(), "")
	w.wants("reset 0/0, sync")
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if ev, err := w.events.Next(); err == nil {
		t.Errorf("the stream goes on with %+v", ev)
	}
}

// A reader that does not read costs nothing but its connection: what it missed is read from the feed, and when the feed does
// not reach back that far, it gets the list.
func TestSlowWatcherCatchesUp(t *testing.T) {
	f := newFace(t, api.Options{})
	url := f.serve()
	for i := range 50 {
		f.want(200, "PUT", fmt.Sprintf("%s/%d", orders, i), body)
	}
	w := f.watch(url, "")
	w.wants("reset 1/50, " + strings.Join(numbered("put %d", 50), ", ") + ", sync")
	text := strings.Repeat("x", 15<<10)
	for round := range 40 { // more than the socket's buffers hold
		for i := range 50 {
			f.update(i, fmt.Sprint(text, round))
		}
	}
	last := f.store.View("default").Seq
	seen := 0
	for {
		_, id := w.until()
		seen++
		if at, ok := nativewire.ParsePosition(id); ok && at.Seq == last {
			break
		}
	}
	if seen > 1000 {
		t.Errorf("it took %d syncs to catch up with 2000 changes, want fewer: a slow reader skips what was overtaken", seen)
	}
}

// update replaces the i-th instance's metadata.
func (f *face) update(i int, text string) {
	f.Helper()
	k := muster.Key{Namespace: "default", Service: "ORDERS", ID: fmt.Sprint(i)}
	_, err := f.store.Update(k, func(old *store.Record) (*store.Record, error) {
		in := old.Instance.Clone()
		in.Metadata = map[string]string{"text": text}
		return old.Next(in), nil
	})
	if err != nil {
		f.Fatal(err)
	}
}

func numbered(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	slices.Sort(out)
	return out
}

type pipeWriter struct {
	header http.Header
	conn   net.Conn
}

func (w *pipeWriter) Header() http.Header         { return w.header }
func (w *pipeWriter) WriteHeader(int)             {}
func (w *pipeWriter) Write(b []byte) (int, error) { return w.conn.Write(b) }
func (w *pipeWriter) Flush()                      {}
