package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// watchers read the native stream of changes and note how long each change took to arrive.
type watchers struct {
	fleet   *fleet
	service string // "": all of them
	tally   *tally
	caused  [marks]atomic.Int64 // when a change was due, in nanoseconds since begin, by its mark
	begin   time.Time
	ready   sync.WaitGroup
	work    sync.WaitGroup
	stop    context.CancelFunc
}

// marks is how many changes may be on their way at once.
const marks = 1 << 16

// watchWithin is how long a stream may say nothing: the server confirms every 3 s.
const watchWithin = 10 * time.Second

// open opens n streams and returns once each has brought its first list.
//
// Errors: of the first that cannot be opened; then none is.
func (w *watchers) open(ctx context.Context, n int) error {
	streams := make([]*stream, 0, n)
	for range n {
		s, err := w.dial(ctx)
		if err != nil {
			for _, s := range streams {
				s.conn.Close()
			}
			return err
		}
		streams = append(streams, s)
	}
	ctx, w.stop = context.WithCancel(ctx)
	w.ready.Add(n)
	for _, s := range streams {
		w.work.Go(func() { w.watch(ctx, s) })
	}
	listed := make(chan struct{})
	go func() { w.ready.Wait(); close(listed) }() // ends with the streams' first lists, or with the streams
	select {
	case <-listed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// close ends the streams.
func (w *watchers) close() {
	if w.stop != nil {
		w.stop()
		w.work.Wait()
	}
}

// expect notes that a change is due, so that its arrival can be timed.
func (w *watchers) expect(mark int, due time.Time) {
	w.caused[mark%marks].Store(int64(due.Sub(w.begin)) + 1)
}

// stream is one open stream.
type stream struct {
	conn  interface{ Close() error }
	await func() // gives the next read its time
	body  *bufio.Reader
	res   *http.Response
}

// dial opens a stream and reads the head of its answer.
func (w *watchers) dial(ctx context.Context) (*stream, error) {
	t := w.fleet.target
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	path := "/api/v1/namespaces/" + w.fleet.namespace + "/watch"
	if w.service != "" {
		path += "?service=" + w.service
	}
	await := func() { _ = conn.SetDeadline(time.Now().Add(watchWithin)) }
	await()
	if _, err := conn.Write(appendEnd(t.appendHead(nil, "GET", path))); err != nil {
		conn.Close()
		return nil, t.unreachable(err)
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 16<<10), &http.Request{Method: "GET"})
	if err != nil {
		conn.Close()
		return nil, t.unreachable(err)
	}
	a := answer{status: res.StatusCode}
	if a.status != http.StatusOK {
		a.body, _ = bufio.NewReader(res.Body).Peek(maxProblem) // as much as there is
		conn.Close()
		return nil, refusal(a)
	}
	return &stream{conn: conn, await: await, body: bufio.NewReaderSize(res.Body, 4<<10), res: res}, nil
}

// maxProblem bounds what is read of a refusal to watch.
const maxProblem = 2 << 10

// watch reads one stream until ctx ends, and opens it again when it breaks.
func (w *watchers) watch(ctx context.Context, s *stream) {
	ready := sync.OnceFunc(w.ready.Done)
	defer ready()
	for ctx.Err() == nil {
		if s == nil {
			var err error
			if s, err = w.dial(ctx); err != nil {
				w.tally.fail(err, 1)
				if !until(ctx, time.Now().Add(time.Second)) {
					return
				}
				continue
			}
		}
		conn := s.conn
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		err := w.read(s, ready)
		stop()
		conn.Close()
		if ctx.Err() == nil {
			w.tally.fail(&muster.Error{Op: "watch", Code: muster.Unavailable, Err: errors.New("a stream broke and was opened again: " + err.Error())}, 1)
		}
		s = nil
	}
}

// read reads events until the stream ends. Changes begin with the first list's end.
func (w *watchers) read(s *stream, ready func()) error {
	synced := false
	for {
		s.await()
		line, err := s.body.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil // a long list's line; the rest follows as a line that says nothing
		}
		if err != nil {
			return err
		}
		switch {
		case !synced && bytes.HasPrefix(line, []byte("event: sync")):
			synced = true
			ready()
		case synced && bytes.HasPrefix(line, []byte("data: ")):
			w.arrived(line)
		}
	}
}

// arrived times the change that an event brought.
func (w *watchers) arrived(line []byte) {
	_, after, found := bytes.Cut(line, []byte(`"`+markLabel+`":"`))
	if !found || len(after) < 8 {
		return
	}
	mark, err := strconv.Atoi(string(after[:8]))
	if err != nil || mark == 0 {
		return
	}
	if at := w.caused[mark%marks].Load(); at > 0 {
		w.tally.succeeded(time.Since(w.begin)-time.Duration(at-1), 1, int64(len(line)))
	}
}
