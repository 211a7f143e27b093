package remote

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// place remembers how far beyond its revision the newest table was confirmed, so that a watch on a quiet service resumes even
// when others have filled the server's feed meanwhile.
type place struct {
	mu    sync.Mutex // guards what follows
	table *muster.Table
	at    nativewire.Position
}

func (p *place) set(t *muster.Table, at nativewire.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table, p.at = t, at
}

// of returns the furthest position known for t.
func (p *place) of(t *muster.Table, at nativewire.Position) nativewire.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == t && p.at.Epoch == at.Epoch && p.at.Seq > at.Seq {
		return p.at
	}
	return at
}

// errSilent ends a stream that said nothing for the liveness time.
var errSilent = fmt.Errorf("nothing came for %v, though the server says something every 3 s: the connection is dead", Liveness)

// Watch follows the server's stream of changes.
//
// Errors: Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Watch(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
	ctx, end, err := d.begin(ctx, "watch")
	if err != nil {
		return err
	}
	defer end()
	t := newTables(d.opt.Namespace, scope, prev)
	r := &request{op: "watch", method: http.MethodGet, path: "/watch", query: url.Values{}}
	if scope != nil && len(scope) <= nativewire.MaxScope {
		r.query["service"] = scope
		if len(scope) == 0 {
			r.query["service"] = []string{""}
		}
	}
	if at, ok := t.position(prev); ok {
		r.query.Set("since", d.place.of(prev, at).String())
	}
	s, err := over(d, ctx, r, func(host string) (*stream, error) { return d.dial(ctx, host, r) })
	if err != nil {
		return err
	}
	defer s.close()
	return d.named(ctx, r, s.run(d, t, emit))
}

// stream is one connection that brings events.
type stream struct {
	url     string
	res     *http.Response
	events  *nativewire.EventReader
	silence *time.Timer // ends the request
	cancel  context.CancelCauseFunc
	ctx     context.Context
}

// dial opens the stream on one host. The request lives until close; its head must come in the time for any answer.
func (d *Driver) dial(ctx context.Context, host string, r *request) (*stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stream{url: d.url(host, r), cancel: cancel, ctx: ctx}
	s.silence = time.AfterFunc(d.opt.Timeout, func() { cancel(context.DeadlineExceeded) })
	res, err := d.open(ctx, host, r)
	if err != nil {
		if cause := context.Cause(ctx); cause == context.DeadlineExceeded {
			err = d.unreachable(host, r, cause)
		}
		s.silence.Stop()
		cancel(nil)
		return nil, err
	}
	s.res = res
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if res.StatusCode == http.StatusOK && kind == nativewire.EventType {
		s.silence.Reset(Liveness)
		s.events = nativewire.NewEventReader(res.Body)
		return s, nil
	}
	defer s.close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what there is of it explains the refusal
	a := &answer{status: res.StatusCode, header: res.Header, body: body}
	if res.StatusCode/100 == 2 {
		return nil, d.foreign(host, r, a)
	}
	return nil, d.problem(host, r, a)
}

func (s *stream) close() {
	s.silence.Stop()
	s.cancel(nil)
	_ = s.res.Body.Close()
}

// run turns events into tables until the stream ends.
func (s *stream) run(d *Driver, t *tables, emit func(*muster.Table)) error {
	for {
		ev, err := s.events.Next()
		if err != nil {
			return s.ended(err)
		}
		s.silence.Reset(Liveness)
		if ev.Kind == nativewire.End {
			return s.told(&ev)
		}
		table, err := t.apply(&ev)
		if err != nil {
			return unavailable("GET %s: %w", s.url, err)
		}
		if table == nil {
			continue
		}
		d.place.set(table, t.at)
		emit(table)
	}
}

// told is why the server says that it ends the stream.
func (s *stream) told(ev *nativewire.Event) error {
	p, err := ev.DecodeEnd()
	if err != nil {
		return unavailable("GET %s: %w", s.url, err)
	}
	return p.Err()
}

// ended says why the stream did.
func (s *stream) ended(err error) error {
	cause := context.Cause(s.ctx)
	switch {
	case cause == context.DeadlineExceeded || errors.Is(cause, errSilent):
		return unavailable("GET %s: %w", s.url, errSilent)
	case cause != nil:
		return cause
	case err == io.EOF:
		return unavailable("GET %s: the server ended the stream: it is stopping, or something in between cuts long answers", s.url)
	}
	return unavailable("GET %s: the stream broke off: %w", s.url, err)
}

// scopeName tells tables of different scopes apart: resuming from one of another scope would show the wrong services.
func scopeName(namespace string, scope []string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, muster.Fold(namespace)) // a hash never fails
	if scope == nil {
		return strconv.FormatUint(h.Sum64(), 36)
	}
	names := make([]string, len(scope))
	for i, s := range scope {
		names[i] = muster.Fold(s)
	}
	slices.Sort(names)
	for _, s := range slices.Compact(names) {
		_, _ = io.WriteString(h, "/"+s)
	}
	_, _ = io.WriteString(h, "/")
	return strconv.FormatUint(h.Sum64(), 36)
}
