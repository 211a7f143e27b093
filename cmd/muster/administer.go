package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store/bolt"
)

// administration is where acts on the server itself go: to its control socket or its data on this machine, or over the network.
type administration struct{ data string }

func (a *administration) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.data, "data", "", "data directory of the server on this machine; without it the registry is asked, or the usual directory")
	cmd.MarkFlagDirname("data")
}

// administer sends one request to whoever can serve it and reads the answer into out.
//
// With --data that is the server on this machine. Without, a registry that was named is asked over the network; if none was, the
// server that runs on the usual directory, else the usual registry, else the usual directory when no server runs.
func (c *cli) administer(ctx context.Context, a *administration, op, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	if a.data != "" {
		return c.administerHere(ctx, a.data, op, method, path, in, out)
	}
	dir := c.text("serve.data")
	named := c.set.values["registry"].From != "default"
	if !named && runsHere(ctx, dir) {
		return c.administerHere(ctx, dir, op, method, path, in, out)
	}
	web, err := c.servers()
	if err != nil {
		return err
	}
	for _, host := range web.hosts {
		if err = c.exchange(ctx, web, host, op, method, path, in, out); muster.CodeOf(err) == muster.Denied && web.token == "" {
			return fmt.Errorf("%w (on the server's machine --data DIR, its data directory, needs no token)", err)
		} else if muster.CodeOf(err) != muster.Unavailable {
			return err
		}
	}
	if !named && errors.Is(err, syscall.ECONNREFUSED) && exists(filepath.Join(dir, bolt.File)) {
		return c.administerHere(ctx, dir, op, method, path, in, out)
	}
	return err
}

// administerHere asks the server that runs on a data directory, or writes its data if none does.
func (c *cli) administerHere(ctx context.Context, dir, op, method, path string, in, out any) error {
	if dir == memoryData {
		return usage("a server that keeps nothing (--data %s) has neither tokens that last nor a control socket", memoryData)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return usage("--data %q: %v", dir, err)
	}
	if runsHere(ctx, dir) {
		return c.exchange(ctx, controlWeb(dir), dir, op, method, path, in, out)
	}
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir, Version: version()}) // it listens and answers nobody
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("%s: no server answers on its control socket, and its data cannot be opened: %w", dir, err)}
	}
	defer s.Close()
	if err := s.Store().AwaitLoad(ctx); err != nil {
		return err
	}
	web := &web{hosts: []string{dir}, base: "http://", transport: direct{s}, local: true}
	if err := c.exchange(ctx, web, dir, op, method, path, in, out); err != nil {
		return err
	}
	return s.Close()
}

// exchange sends a request with a JSON body, if in is not nil, and reads the answer into out, if that is not nil.
func (c *cli) exchange(ctx context.Context, w *web, host, op, method, path string, in, out any) error {
	header := http.Header{"Muster-By": {c.text("by")}}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return &muster.Error{Op: op, Code: muster.Invalid, Err: err}
		}
		header.Set("Content-Type", "application/json")
		body = bytes.NewReader(text)
	}
	res, err := w.ask(ctx, method, host, path, header, body)
	if err != nil {
		return &muster.Error{Op: op, Code: unansweredCode(err), Err: fmt.Errorf("%s: %w", host, err)}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxStatus))
	if err != nil {
		return &muster.Error{Op: op, Code: muster.Unavailable, Err: fmt.Errorf("%s: the answer broke off: %w", host, err)}
	}
	if p := problemOf(res, text); p != nil {
		p.Op = op
		return p
	}
	if res.StatusCode/100 != 2 || out != nil && json.Unmarshal(text, out) != nil {
		return &muster.Error{Op: op, Code: muster.Unavailable, Err: notMuster(w.url(host, path), res)}
	}
	return nil
}

// unansweredCode is the code of an exchange without an answer: Denied when it was our own TLS that ended it.
func unansweredCode(err error) muster.Code {
	if muster.CodeOf(err) == muster.Denied {
		return muster.Denied
	}
	return muster.Unavailable
}

// runsHere reports whether a server answers on the control socket of a data directory.
func runsHere(ctx context.Context, dir string) bool {
	conn, err := server.DialControl(ctx, dir)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// direct hands requests to a server in this process as its own user's.
type direct struct{ server *server.Server }

// RoundTrip is http.RoundTripper's.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &held{header: http.Header{}, code: http.StatusOK}
	d.server.Handler().ServeHTTP(w, r.WithContext(d.server.AsOwner(r.Context())))
	return &http.Response{
		StatusCode: w.code, Status: fmt.Sprintf("%d %s", w.code, http.StatusText(w.code)), Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// held is an answer in memory.
type held struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) WriteHeader(code int)        { h.code = code }
func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }
