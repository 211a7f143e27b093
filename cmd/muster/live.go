package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
)

// live asks the running programs of this user what their clients make of a service. They are found by their debug sockets.
type live struct {
	c      *cli
	pid    int    // --pid; 0: any
	socket string // --socket; "": those in the user's directories
}

// running is a running program with clients that have called the service.
type running struct {
	socket string
	debugwire.Process
}

// addFlags adds --pid and --socket to cmd.
func (l *live) addFlags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&l.pid, "pid", 0, "only the running program with this process ID")
	cmd.Flags().StringVar(&l.socket, "socket", "", "only the running program behind this debug socket")
	_ = cmd.RegisterFlagCompletionFunc("pid", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var pids []string
		for _, s := range l.sockets() {
			pids = append(pids, strconv.Itoa(s.PID))
		}
		return slices.Compact(pids), cobra.ShellCompDirectiveNoFileComp
	})
}

// named says whether one program is meant.
func (l *live) named() bool { return l.pid != 0 || l.socket != "" }

// Bounds of asking. Each socket is asked by itself, so one that hangs keeps nobody waiting longer.
const (
	askWithin  = time.Second
	maxAsked   = 256 // at once
	maxAnswer  = 32 << 20
	maxProblem = 64 << 10
)

// programs are those whose clients have called a service, sorted by who calls, and then by process. What cannot be asked is said
// on stderr.
//
// Errors: what went wrong with the program that the flags name; Invalid (the registry's namespace cannot be told).
func (l *live) programs(ctx context.Context, service string) ([]running, error) {
	if l.pid < 0 {
		return nil, usage("--pid %d is no process", l.pid)
	}
	r, err := l.c.registry(nil)
	if err != nil {
		return nil, err
	}
	path := "/services/" + url.PathEscape(service) + "?namespace=" + url.QueryEscape(r.Namespace())
	sockets := l.sockets()
	found, failed := make([]*running, len(sockets)), make([]error, len(sockets))
	room := make(chan struct{}, maxAsked)
	var wg sync.WaitGroup
	for i, s := range sockets {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			p := &running{socket: s.Path}
			switch err := askSocket(ctx, s.Path, http.MethodGet, path, nil, &p.Process); {
			case err == nil && len(p.Clients) > 0:
				found[i] = p
			case err != nil && (l.named() || !gone(err)) && muster.CodeOf(err) != muster.NotFound:
				failed[i] = err
			}
		})
	}
	wg.Wait()
	var out []running
	for _, p := range found {
		if p != nil {
			out = append(out, *p)
		}
	}
	slices.SortFunc(out, func(a, b running) int {
		return cmp.Or(cmp.Compare(a.Clients[0].Service, b.Clients[0].Service), cmp.Compare(a.PID, b.PID), cmp.Compare(a.socket, b.socket))
	})
	failed = slices.DeleteFunc(failed, func(err error) bool { return err == nil })
	if l.named() && len(out) == 0 && len(failed) > 0 {
		return nil, failed[0]
	}
	for _, err := range failed[:min(len(failed), maxComplaints)] {
		l.c.progress("%v", err)
	}
	return out, nil
}

// maxComplaints bounds how many programs are named that could not be asked.
const maxComplaints = 10

// sockets are those that the flags mean. A directory that cannot be trusted is said on stderr.
func (l *live) sockets() []debugwire.Socket {
	if l.socket != "" {
		return []debugwire.Socket{{Path: l.socket, PID: l.pid}}
	}
	var all []debugwire.Socket
	for _, dir := range debugwire.Dirs(l.c.getenv) {
		found, err := debugwire.Find(dir)
		if err != nil {
			l.c.progress("No running programs are looked for there: %v", err)
		}
		for _, s := range found {
			if l.pid == 0 || s.PID == l.pid {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b debugwire.Socket) int { return cmp.Compare(a.PID, b.PID) })
	return all
}

// none says that no program has called a service, and what programs do to be found.
func (l *live) none(service string) error {
	which := "no running program of this user"
	switch {
	case l.socket != "":
		which = "the program behind " + l.socket + " has not called " + service
	case l.pid != 0:
		which = fmt.Sprintf("process %d is not one that shows that it has called %s", l.pid, service)
	default:
		which += " shows that it has called " + service
	}
	return notFound("%s in namespace %s (programs with observe/debug in them show it when started with MUSTER_DEBUG=unix)", which, l.c.open.Namespace())
}

// askSocket sends one request to the program behind a socket and reads the answer into v.
//
// Errors: Unavailable (nobody answers, or not in time), Internal (what answers is no debug handler), those of the handler.
func askSocket(ctx context.Context, path, method, target string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxProblem,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://muster"+target, sent)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return unanswered(ctx, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return unanswered(ctx, path, err)
	}
	return readAnswer(path, res, text, v)
}

// readAnswer reads an answer's body into v, or as the problem that it says.
func readAnswer(path string, res *http.Response, text []byte, v any) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // "" is neither
	if kind == nativewire.ProblemType && len(text) <= maxProblem {
		p := new(nativewire.Problem)
		if json.Unmarshal(text, p) == nil {
			p.Status = res.StatusCode
			e := p.Err()
			return &muster.Error{Op: opLive, Code: e.Code, Err: fmt.Errorf("the program behind %s says: %s", path, clipped(p.Detail))}
		}
	}
	switch {
	case len(text) > maxAnswer:
		return strange(path, fmt.Errorf("more than %d bytes", maxAnswer))
	case res.StatusCode != http.StatusOK || kind != "application/json":
		return strange(path, fmt.Errorf("%s, %s", clipped(res.Status), clipped(cmp.Or(kind, "of no type"))))
	}
	if err := json.Unmarshal(text, v); err != nil {
		return strange(path, err)
	}
	return nil
}

// opLive is the Op of errors about running programs.
const opLive = "live"

// unanswered is the error of a socket on which nobody answers in time, or not in HTTP.
func unanswered(ctx context.Context, path string, err error) error {
	var op *net.OpError
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("%s did not answer within %v: is its program stopped or very busy?", path, askWithin)
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), ctx.Err() != nil:
		err = fmt.Errorf("%s: %w", path, err)
	default:
		return strange(path, err)
	}
	return &muster.Error{Op: opLive, Code: muster.Unavailable, Err: err}
}

// strange is the error of a socket whose answer cannot be read.
func strange(path string, err error) error {
	return &exitError{exitPeer, &muster.Error{Op: opLive, Code: muster.Internal, Err: fmt.Errorf("%s answers what no program with muster does (%w): is it another program's socket?", path, err)}}
}

// gone says whether err is that a program has ended, which left its socket.
func gone(err error) bool {
	return debugwire.Refused(err) || errors.Is(err, fs.ErrNotExist)
}

// clipped bounds what a peer said.
func clipped(s string) string {
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}
