package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// Target is the server that is put under load.
type Target struct {
	Addr          string        // host:port
	TLS           *tls.Config   // nil: plain HTTP
	Authorization string        // the header's value, such as "Bearer mst_…"; "": none
	Timeout       time.Duration // for one answer; 0 means 5s
}

func (t *Target) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return 5 * time.Second
}

// dial opens a connection.
//
// Errors: Unavailable.
func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: t.timeout()}
	conn, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, t.unreachable(err)
	}
	if t.TLS == nil {
		return conn, nil
	}
	config := t.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(t.Addr)
	}
	secured := tls.Client(conn, config)
	_ = conn.SetDeadline(time.Now().Add(t.timeout()))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, t.unreachable(err)
	}
	return secured, nil
}

// appendHead appends the first line of a request and the headers that all have.
func (t *Target) appendHead(b []byte, method, path string) []byte {
	b = append(append(append(append(b, method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, t.Addr...), "\r\n"...)
	if t.Authorization != "" {
		b = append(append(append(b, "Authorization: "...), t.Authorization...), "\r\n"...)
	}
	return b
}

// unreachable is the error of a server that does not answer, or not in HTTP. Its text is the same for the same cause, whatever
// ports were used, so that causes can be counted.
func (t *Target) unreachable(err error) error {
	cause, hint := err.Error(), ""
	if e, ok := errors.AsType[*net.OpError](err); ok {
		cause = e.Op + ": " + e.Err.Error()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		cause = fmt.Sprintf("no answer within %v", t.timeout())
	}
	if strings.Contains(cause, "malformed HTTP") || strings.Contains(cause, "first record does not look like a TLS handshake") {
		hint = ": does it speak TLS, as musters:// means, or not, as muster:// does?"
	}
	return &muster.Error{Op: "bench", Code: muster.Unavailable, Err: fmt.Errorf("%s: %s%s", t.Addr, cause, hint)}
}

// client is a connection that is kept, with one request on it at a time. It is opened when it is first used, and anew after it
// broke. It is safe for concurrent use: callers wait for each other.
type client struct {
	target *Target
	mu     sync.Mutex // guards what follows; held while a request is under way
	conn   net.Conn
	in     *bufio.Reader
	out    []byte // the request that is being made
}

// answer is what a server answered.
type answer struct {
	status int
	body   []byte // when it was kept
	length int64
}

// maxKept bounds a body that is kept.
const maxKept = 32 << 20

// do sends the request that write appends, and reads the answer; keep says whether its body is wanted.
//
// Errors: Unavailable (no answer), Exhausted (the server's limits), Denied, and what else the server's problem says.
func (c *client) do(ctx context.Context, method string, keep bool, write func(b []byte) []byte) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ask(ctx, method, keep, write)
}

// ask is do for who holds mu.
func (c *client) ask(ctx context.Context, method string, keep bool, write func(b []byte) []byte) (answer, error) {
	c.out = write(c.out[:0])
	fresh := c.conn == nil
	a, err := c.once(ctx, method, keep)
	if err != nil && !fresh && a.status == 0 {
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() { // closed by the server meanwhile, as it may
			a, err = c.once(ctx, method, keep)
		}
	}
	if err != nil {
		if _, ok := errors.AsType[*muster.Error](err); !ok {
			err = c.target.unreachable(err)
		}
		return a, err
	}
	return a, refusal(a)
}

func (c *client) once(ctx context.Context, method string, keep bool) (a answer, err error) {
	if c.conn == nil {
		if c.conn, err = c.target.dial(ctx); err != nil {
			return a, err
		}
		if c.in == nil {
			c.in = bufio.NewReaderSize(nil, 4<<10)
		}
		c.in.Reset(c.conn)
	}
	ended := false
	defer func() {
		if err != nil || ended {
			c.conn.Close()
			c.conn = nil
		}
	}()
	if err = c.conn.SetDeadline(time.Now().Add(c.target.timeout())); err != nil {
		return a, err
	}
	if _, err = c.conn.Write(c.out); err != nil {
		return a, err
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.status, ended = res.StatusCode, res.Close
	if !keep && a.status/100 == 2 {
		a.length, err = io.Copy(io.Discard, res.Body)
		return a, err
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxKept+1))
	a.length = int64(len(a.body))
	if a.length > maxKept {
		err = fmt.Errorf("an answer of more than %d bytes", maxKept)
	}
	return a, err
}

// close ends the connection.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// refusal is the error that an answer is, or nil.
func refusal(a answer) error {
	if a.status/100 == 2 || a.status == http.StatusNotModified {
		return nil
	}
	text := strconv.Itoa(a.status) + " " + http.StatusText(a.status)
	var p nativewire.Problem
	if json.Unmarshal(a.body, &p) == nil && p.Detail != "" {
		text += ": " + p.Detail
	}
	e := &muster.Error{Op: "bench", Code: muster.Internal, Err: errors.New(clip(text))}
	switch {
	case a.status == http.StatusTooManyRequests || a.status == http.StatusInsufficientStorage || p.Code == muster.Exhausted:
		e.Code = muster.Exhausted
	case a.status == http.StatusUnauthorized:
		e.Code, e.Err = muster.Denied, fmt.Errorf("%w (%s)", errUnproven, clip(text))
	case a.status == http.StatusForbidden:
		e.Code = muster.Denied
	case a.status == http.StatusNotFound:
		e.Code = muster.NotFound
	case a.status == http.StatusServiceUnavailable:
		e.Code = muster.Unavailable
	case p.Code != "":
		e.Code = p.Code
	}
	return e
}

// errUnproven is in the error of a server that wants to know who asks.
var errUnproven = errors.New("the server wants a token that it knows, in the registry's URL: muster://token:mst_…@HOST:8761")

// clip bounds what a server said.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
