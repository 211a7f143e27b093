package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// routeWatch adds the stream of changes and the long poll beside it.
func (a *API) routeWatch(api huma.API) {
	text := &huma.Schema{Type: huma.TypeString}
	op := huma.Operation{
		OperationID: "watch", Method: http.MethodGet, Path: pathWatch, Tags: []string{"find"}, Responses: problems(),
		Summary: "The list, and every change to it",
		Description: "Server-sent events. reset {services, instances}: the list begins anew. put {an instance}, delete {service, id}: changes. " +
			"sync: all up to here is one consistent state; its id goes into Last-Event-ID or since to go on from there. confirm: that was all up to here, every 3 s. " +
			"end {a problem}: nothing follows, the token was revoked or has expired. " +
			"With wait: a long poll instead, answering the whole list as soon as its revision is another, 304 if it is not by then.",
		Parameters: append(pathParams(pathWatch),
			&huma.Param{Name: "service", In: "query", Description: "Only this service; may be repeated. Absent: all", Explode: new(true),
				Schema: &huma.Schema{Type: huma.TypeArray, Items: text, MaxItems: new(nativewire.MaxScope)}},
			queryParam("since", "Go on from this id", text),
			queryParam("wait", "Long poll for at most this long, such as 30s; at most 1m", text),
			queryParam("revision", "Long poll: the revision that is known", text),
			&huma.Param{Name: "Last-Event-ID", In: "header", Description: "Go on from this id; wins over since", Schema: text},
		),
	}
	op.Responses["200"] = answer(api, reflect.TypeFor[nativewire.List[nativewire.Instance]](), "The stream; or, with wait, the list")
	op.Responses["200"].Content[nativewire.EventType] = &huma.MediaType{Schema: text}
	op.Responses["304"] = &huma.Response{Description: "Long poll: nothing has changed"}
	a.byHand(api, op, to(access.Read), a.watch)
}

// watchQuery is what a watch is asked for.
type watchQuery struct {
	namespace string
	scope     map[string]bool // folded names; nil: all
	since     string
	wait      time.Duration // 0: a stream
	revision  string
}

// watch serves GET on watch.
func (a *API) watch(w http.ResponseWriter, r *http.Request, p *access.Principal) {
	q, err := parseWatchQuery(r)
	if err != nil {
		writeError(w, err)
		return
	}
	if n := a.watchers.Add(1); n > int64(a.opt.MaxWatchers) {
		a.watchers.Add(-1)
		if a.crowded.CompareAndSwap(false, true) {
			a.opt.Log.Warn("too many watchers, more are refused", "max", a.opt.MaxWatchers)
		}
		writeError(w, &muster.Error{
			Code: muster.Unavailable, After: 5 * time.Second, Err: fmt.Errorf("%d clients watch already, no more are served", a.opt.MaxWatchers),
		})
		return
	}
	defer func() {
		if a.watchers.Add(-1) < int64(a.opt.MaxWatchers)*9/10 {
			a.crowded.Store(false)
		}
	}()
	if r.ContentLength == 0 {
		// A server's limit on the time to read a request must not end an answer that goes on; recorders in tests have none.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	ctx, end := p.Hold(r.Context())
	defer end()
	switch {
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Type", nativewire.EventType)
	case q.wait > 0:
		a.longPoll(ctx, w, r, q)
	default:
		s := &stream{api: a, q: q, out: a.pieces(w)}
		defer s.out.free()
		s.run(ctx)
		if refused, ok := errors.AsType[*access.Refusal](context.Cause(ctx)); ok {
			s.end(refused)
		}
	}
}

func parseWatchQuery(r *http.Request) (watchQuery, error) {
	q := watchQuery{namespace: r.PathValue("namespace")}
	if err := muster.CheckNamespace(q.namespace); err != nil {
		return q, err
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, invalid("the query is malformed: %w", err)
	}
	for name, v := range values {
		switch name {
		case "service":
			if len(v) > nativewire.MaxScope {
				return q, invalid("%d services, at most %d may be named; leave them out to watch all", len(v), nativewire.MaxScope)
			}
			q.scope = make(map[string]bool, len(v))
			for _, s := range v {
				if s == "" {
					continue // service= alone: none at all
				}
				if err := muster.CheckService(s); err != nil {
					return q, err
				}
				q.scope[muster.Fold(s)] = true
			}
		case "since":
			q.since = v[0]
		case "wait":
			if q.wait, err = time.ParseDuration(v[0]); err != nil || q.wait <= 0 || q.wait > MaxWait {
				return q, invalid("wait %q is not a duration of at most %v, such as 30s", v[0], MaxWait)
			}
		case "revision":
			q.revision = v[0]
		default:
			return q, invalid("unknown query parameter %q", name)
		}
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		q.since = id
	}
	return q, nil
}

// stream is one watcher. Between two writes it holds a position and nothing else: what it has missed meanwhile is read from
// the store's feed, so a slow reader costs no memory, and one too slow for the feed is listed anew.
type stream struct {
	api *API
	q   watchQuery
	out *pieces
	at  nativewire.Position
	id  []byte // scratch
}

func (s *stream) run(ctx context.Context) {
	h := s.out.w.Header()
	h.Set("Content-Type", nativewire.EventType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if err := s.begin(); err != nil {
		return
	}
	for {
		if err := s.follow(ctx); err != nil {
			return // the client is gone, or the store is closing
		}
		if err := s.confirm(); err != nil {
			return
		}
	}
}

// begin resumes where the client was, or lists.
func (s *stream) begin() error {
	at, ok := nativewire.ParsePosition(s.q.since)
	if !ok {
		return s.list()
	}
	s.at = at
	told, err := s.tell()
	if err != nil || told {
		return err
	}
	return s.confirm()
}

// follow writes what changes until it is time to confirm, whether or not anything was written: changes outside the scope write
// nothing, and a client takes silence for a dead connection. One deadline serves all changes until then.
func (s *stream) follow(ctx context.Context) error {
	due, cancel := context.WithTimeout(ctx, ConfirmEvery)
	defer cancel()
	for due.Err() == nil {
		if _, err := s.api.store.Wait(due, s.q.namespace, s.at.Seq); err != nil {
			if due.Err() != nil {
				break
			}
			return err
		}
		if _, err := s.tell(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// tell writes what happened since the last write, and reports whether there was anything to write.
func (s *stream) tell() (bool, error) {
	step, ok := s.api.feeds.after(s.q.namespace, s.at)
	if !ok || !s.api.held.take(step) {
		return true, s.list()
	}
	defer s.api.held.give(step)
	s.at = step.to
	switch {
	case len(step.changes) == 0:
		return false, nil
	case s.q.scope == nil:
		return true, s.sendBytes(step.events)
	}
	return s.tellScope(step)
}

// tellScope writes what of a step is about the services of the scope, piece by piece: a copy of all of it might be large.
func (s *stream) tellScope(step *step) (told bool, err error) {
	for _, p := range step.changes {
		if !s.q.scope[p.service] {
			continue
		}
		told = true
		s.out.b = append(s.out.b, step.events[p.start:p.end]...)
		if err := s.out.flush(false); err != nil {
			return true, err
		}
	}
	if !told {
		return false, nil
	}
	s.out.b = append(s.out.b, step.events[step.sync:]...)
	return true, s.send()
}

// list writes the whole list anew.
func (s *stream) list() error {
	s.out.begun, s.out.bytes = time.Now(), 0
	defer func() { s.out.begun = time.Time{} }()
	v := s.api.store.View(s.q.namespace)
	s.at = nativewire.Position{Epoch: v.Epoch, Seq: v.Seq}
	services := within(v, s.q.scope)
	count := nativewire.Listing{Services: len(services)}
	for _, svc := range services {
		count.Instances += len(svc.Records)
	}
	data, err := json.Marshal(count)
	if err != nil {
		return err
	}
	s.out.b = nativewire.AppendEvent(s.out.b, nativewire.Reset, "", data)
	for _, svc := range services {
		for _, rec := range svc.Records {
			s.out.b = nativewire.AppendEvent(s.out.b, nativewire.Put, "", fragment(rec))
			if err := s.out.flush(false); err != nil {
				return err
			}
		}
	}
	s.out.b = nativewire.AppendEvent(s.out.b, nativewire.Sync, s.at.String(), []byte("{}"))
	return s.send()
}

func (s *stream) confirm() error {
	s.id = s.at.AppendTo(s.id[:0])
	s.out.b = nativewire.AppendEvent(s.out.b, nativewire.Confirm, string(s.id), []byte("{}"))
	return s.send()
}

// end says why nothing follows. A client that does not know the event sees the stream end, as it would have.
func (s *stream) end(why *access.Refusal) {
	problem, ok := errors.AsType[failure](fail(why))
	if !ok {
		return
	}
	data, err := json.Marshal(problem)
	if err != nil {
		return
	}
	s.out.b = nativewire.AppendEvent(s.out.b, nativewire.End, "", data)
	_ = s.send() // who does not read any more need not hear it
}

// send writes what was gathered and flushes it to the client. A buffer that has grown is not kept for the next write, which may
// be far off: thousands of watchers would hold one each.
func (s *stream) send() error {
	if err := s.out.flush(true); err != nil {
		return err
	}
	if cap(s.out.b) > smallPiece {
		s.out.free()
	}
	return s.out.ctl.Flush()
}

// sendBytes writes bytes that others share.
func (s *stream) sendBytes(b []byte) error {
	_ = s.out.ctl.SetWriteDeadline(time.Now().Add(writeWithin)) // recorders in tests have none
	if _, err := s.out.w.Write(b); err != nil {
		return err
	}
	return s.out.ctl.Flush()
}

// within gives the view's services that are in scope.
func within(v *store.View, scope map[string]bool) []*store.Service {
	if scope == nil {
		return v.Services
	}
	out := make([]*store.Service, 0, len(scope))
	for _, svc := range v.Services {
		if scope[muster.Fold(svc.Name)] {
			out = append(out, svc)
		}
	}
	return out
}
