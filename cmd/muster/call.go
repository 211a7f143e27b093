package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

// callFlags are the flags of call.
type callFlags struct {
	method  string
	data    string
	headers []string
	tries   int
	within  time.Duration
	include bool
	zone    string
}

func (c *cli) callCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call SERVICE PATH",
		Short: "Call a service over HTTP, as its clients do",
		Long: `Picks an instance that may get traffic, calls it, and goes to another one where that is safe. The answer's body is
printed; which instances were tried is said on stderr. Exit code 6 when the answer is an error (4xx, 5xx).`,
		Example: `  muster call ORDERS /orders/7
  muster call ORDERS /orders -d '{"item": 3}' -H 'Idempotency-Key: 5'
  muster call ORDERS /orders -d @order.json -X PUT`,
		Args:              exactly(2, "a service and a path"),
		ValidArgsFunction: c.completeServices,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.call(cmd.Context(), args[0], args[1], f) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.method, "request", "X", "", "method; GET, or POST when there is a body")
	fs.StringVarP(&f.data, "data", "d", "", "body; @FILE reads a file, @- stdin")
	fs.StringArrayVarP(&f.headers, "header", "H", nil, `header, as "Name: value"; may be repeated`)
	fs.IntVar(&f.tries, "tries", 3, "instances to try at the most, 1 to 8")
	fs.DurationVar(&f.within, "within", 30*time.Second, "give up after this long")
	fs.BoolVarP(&f.include, "include", "i", false, "print status and headers too, on stderr")
	fs.StringVar(&f.zone, "zone", "", "the caller's zone: its instances are preferred (MUSTER_ZONE)")
	return cmd
}

// maxBody bounds a body read from a file or stdin, which is kept to be sent again.
const maxBody = 64 << 20

func (c *cli) call(ctx context.Context, service, path string, f callFlags) error {
	if err := muster.CheckService(service); err != nil {
		return err
	}
	if f.tries < 1 || f.tries > 8 {
		return usage("--tries %d is outside 1..8", f.tries)
	}
	req, err := c.request(service, path, f)
	if err != nil {
		return err
	}
	if _, _, err := c.service(ctx, service); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	client := muster.NewClient(c.open, &muster.ClientOptions{Zone: c.text("zone"), Tries: f.tries, Observer: attempts{c}})
	defer client.Close()
	transport := httprpc.NewTransport(client, nil)
	defer transport.CloseIdleConnections()
	stock := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := stock.Do(req.WithContext(ctx))
	if err != nil {
		if e, ok := errors.AsType[*muster.Error](err); ok {
			return e
		}
		return err
	}
	defer res.Body.Close()
	if f.include {
		c.progress("%s %s", res.Proto, res.Status)
		var b strings.Builder
		_ = res.Header.Write(&b) // to memory
		fmt.Fprintf(c.stderr, "%s\n", b.String())
	}
	if _, err := io.Copy(c.stdout, res.Body); err != nil {
		return &muster.Error{Op: "call", Service: service, Code: muster.CodeOf(err), Err: fmt.Errorf("the answer broke off: %w", err)}
	}
	if res.StatusCode >= 400 {
		return &exitError{exitPeer, fmt.Errorf("%s answered %s", service, res.Status)}
	}
	return nil
}

// request is what is sent; its body can be sent again.
func (c *cli) request(service, path string, f callFlags) (*http.Request, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	var body io.Reader
	if f.data != "" {
		text, err := c.body(f.data)
		if err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	method := f.method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequest(method, "http://"+service+path, body)
	if err != nil {
		return nil, usage("%v", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usage(`header %q is not "Name: value"`, h)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			req.Host = value
		}
		req.Header.Set(strings.TrimSpace(name), value)
	}
	return req, nil
}

// body is the text of --data.
func (c *cli) body(data string) (string, error) {
	path, ok := strings.CutPrefix(data, "@")
	if !ok {
		return data, nil
	}
	in := c.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", usage("--data: %v", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return "", usage("--data: %v", err)
	}
	if len(text) > maxBody {
		return "", usage("--data: more than %d bytes", maxBody)
	}
	return string(text), nil
}

// attempts says on stderr which instances were tried.
type attempts struct{ c *cli }

func (attempts) Event(muster.Event) {}

func (attempts) Start(ctx context.Context, _ muster.Span) context.Context { return ctx }

func (a attempts) End(_ context.Context, s muster.Span) {
	if s.Kind != muster.AttemptSpan {
		return
	}
	result := s.Outcome.String()
	if s.Code != "" && !slices.Contains([]string{"", result}, string(s.Code)) {
		result += " (" + string(s.Code) + ")"
	}
	a.c.progress("%s %s: %s after %s", s.Service, s.Instance, result, s.Took.Round(10*time.Microsecond))
}
