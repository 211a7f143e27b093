package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/registry/open"
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
)

// defaultPort is the port that a muster:// URL may leave out.
const defaultPort = "8761"

// servers returns the hosts of the registry's URL.
//
// Errors: Unsupported when the registry is no muster serve over plain HTTP, whose state this program could ask for.
func (c *cli) servers() ([]string, error) {
	raw, _, err := c.registryURL()
	if err != nil {
		return nil, err
	}
	u, err := open.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "muster" || u.TLS || len(u.Hosts) == 0 {
		return nil, &muster.Error{Op: "status", Code: muster.Unsupported, Err: fmt.Errorf("only muster:// has a state to ask for, not %s", u)}
	}
	out := make([]string, len(u.Hosts))
	for i, h := range u.Hosts {
		out[i] = net.JoinHostPort(h.Name, cmp.Or(h.Port, defaultPort))
	}
	return out, nil
}

// askServers asks each how it is, side by side.
func (c *cli) askServers(ctx context.Context, hosts []string) []answer {
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	out := make([]answer, len(hosts))
	var all sync.WaitGroup
	for i, host := range hosts {
		all.Go(func() { out[i] = askServer(ctx, host) })
	}
	all.Wait()
	return out
}

// maxStatus bounds the answer: a namespace takes a few hundred bytes.
const maxStatus = 4 << 20

func askServer(ctx context.Context, host string) answer {
	a := answer{Server: host, Kind: unreachable}
	url := "http://" + host + "/api/v1/status"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		a.Err = &muster.Error{Op: "status", Code: muster.Invalid, Err: err}
		return a
	}
	req.Header.Set("User-Agent", "muster/"+version()+" (muster status)")
	transport := &http.Transport{DisableKeepAlives: true}
	begun := time.Now()
	res, err := transport.RoundTrip(req)
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
