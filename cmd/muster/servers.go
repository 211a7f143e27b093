package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// answer is what one server said when it was asked how it is.
type answer struct {
	Server string // host:port
	Status nativewire.Status
	Clock  time.Duration // how far its clock is ahead of ours, to a second or so; 0 when it did not say
	Err    error
	Kind   wrongness // when Err is not nil
}

// wrongness says what is wrong with an answer.
type wrongness uint8

const (
	right       wrongness = iota
	unreachable           // no connection, or nothing came
	foreign               // something came that muster serve does not send
	denied                // it did, and does not tell us
)

// askServers asks each how it is, side by side; a nil web has none.
func (c *cli) askServers(ctx context.Context, w *web) []answer {
	if w == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	out := make([]answer, len(w.hosts))
	var all sync.WaitGroup
	for i, host := range w.hosts {
		all.Go(func() { out[i] = w.askServer(ctx, host) })
	}
	all.Wait()
	return out
}

// maxStatus bounds the answer: a namespace takes a few hundred bytes.
const maxStatus = 4 << 20

func (w *web) askServer(ctx context.Context, host string) answer {
	a := answer{Server: host, Kind: unreachable}
	const path = "/api/v1/status"
	url := w.url(host, path)
	begun := time.Now()
	res, err := w.ask(ctx, http.MethodGet, host, path, http.Header{"User-Agent": {"muster/" + version() + " (muster status)"}}, nil)
	if err != nil {
		if strings.Contains(err.Error(), "malformed HTTP") {
			a.Kind = foreign
		}
		a.Err = &muster.Error{Op: "status", Code: muster.Unavailable, Err: fmt.Errorf("%s: %w", url, err)}
		return a
	}
	defer res.Body.Close()
	took := time.Since(begun)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxStatus))
	if err != nil {
		a.Err = &muster.Error{Op: "status", Code: muster.Unavailable, Err: fmt.Errorf("%s: the answer broke off: %w", url, err)}
		return a
	}
	if p := problemOf(res, body); p != nil {
		a.Kind, a.Err = denied, &muster.Error{Op: "status", Code: muster.CodeOf(p), Err: fmt.Errorf("%s: %s", host, p.Err)}
		return a
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(body, &a.Status) != nil || a.Status.Epoch == "" {
		a.Kind = foreign
		a.Err = &muster.Error{Op: "status", Code: muster.Unavailable, Err: notMuster(url, res)}
		return a
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		a.Clock = at.Add(500 * time.Millisecond).Sub(begun.Add(took / 2)) // Date is cut to the second
	}
	a.Kind = right
	return a
}

// problemOf is the problem that muster serve answers; nil: it is none.
func problemOf(res *http.Response, body []byte) *muster.Error {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	var p nativewire.Problem
	if kind != nativewire.ProblemType || json.Unmarshal(body, &p) != nil || p.Code == "" {
		return nil
	}
	p.Status = res.StatusCode
	return p.Err()
}

// notMuster says what an answer looks like that muster serve does not give.
func notMuster(url string, res *http.Response) error {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch {
	case kind == "text/html":
		return fmt.Errorf("%s answered %s and HTML: something else than muster serve listens there", url, res.Status)
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s answered %s: a proxy in between wants to know who asks", url, res.Status)
	case res.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s answered %s: something else than muster serve, or an old one, listens there", url, res.Status)
	}
	return fmt.Errorf("%s answered %s, %q, and not the state of a muster serve", url, res.Status, kind)
}

// firstError is that of the first server, if all have one.
func firstError(answers []answer) error {
	var errs []error
	for _, a := range answers {
		if a.Err == nil {
			return nil
		}
		errs = append(errs, a.Err)
	}
	return errors.Join(errs...)
}
