package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// lateness says since when instances are late, by their folded keys. Who is in time is not in it.
type lateness map[muster.Key]time.Time

// of is since when an instance is late; zero when it is in time.
func (l lateness) of(in *muster.Instance) time.Time { return l[in.Key().Fold()] }

// because adds to why an instance stands as it does that it is late.
func (l lateness) because(row muster.Standing) string {
	since := l.of(row.Instance)
	if since.IsZero() {
		return row.Effective.Because
	}
	late := "late for " + age(since)
	if row.Effective.Because == "" {
		return late
	}
	return row.Effective.Because + "; " + late
}

// latePage is how many instances one request asks for, and maxLatePage bounds its answer: an instance takes 20 kB at most.
const (
	latePage    = 1000
	maxLatePage = 32 << 20
)

// late asks a server of the registry who is late; "" is every service of the namespace. It changes with time alone, so that
// no list that is pushed has it.
//
// Errors: Unsupported (only muster serve says so, and not one that is older), Unavailable, Denied, or ctx.Err().
func (c *cli) late(ctx context.Context, service string) (lateness, error) {
	web, err := c.servers()
	if err != nil {
		return nil, err
	}
	path := "/api/v1/namespaces/" + url.PathEscape(c.open.Namespace())
	if service != "" {
		path += "/services/" + url.PathEscape(service)
	}
	var failures []error
	for _, host := range web.hosts {
		late, err := web.late(ctx, host, path+"/instances")
		if err == nil {
			return late, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (w *web) late(ctx context.Context, host, path string) (lateness, error) {
	out, cursor := lateness{}, ""
	for {
		list, err := w.latePage(ctx, host, fmt.Sprintf("%s?late=true&limit=%d&cursor=%s", path, latePage, url.QueryEscape(cursor)))
		if err != nil {
			return nil, err
		}
		for _, in := range list.Items {
			out[muster.Key{Namespace: in.Namespace, Service: in.Service, ID: in.ID}.Fold()] = in.Late
		}
		if cursor = list.Next; cursor == "" {
			return out, nil
		}
	}
}

func (w *web) latePage(ctx context.Context, host, path string) (*nativewire.List[nativewire.Instance], error) {
	res, err := w.ask(ctx, http.MethodGet, host, path, http.Header{"User-Agent": {"muster/" + version() + " (muster instances)"}}, nil)
	if err != nil {
		return nil, &muster.Error{Op: "late", Code: muster.Unavailable, Err: fmt.Errorf("%s: %w", w.url(host, path), err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxLatePage))
	if err != nil {
		return nil, &muster.Error{Op: "late", Code: muster.Unavailable, Err: fmt.Errorf("%s: the answer broke off: %w", w.url(host, path), err)}
	}
	switch p := problemOf(res, body); {
	case p != nil && p.Code == muster.NotFound: // the service is gone since it was listed
		return &nativewire.List[nativewire.Instance]{}, nil
	case p != nil && p.Code == muster.Invalid:
		return nil, &muster.Error{Op: "late", Code: muster.Unsupported, Err: fmt.Errorf("%s is too old to say who is late: %w", host, p.Err)}
	case p != nil:
		return nil, &muster.Error{Op: "late", Code: p.Code, Err: fmt.Errorf("%s: %w", host, p.Err)}
	}
	var list nativewire.List[nativewire.Instance]
	if err := json.Unmarshal(body, &list); err != nil || res.StatusCode != http.StatusOK {
		return nil, &muster.Error{Op: "late", Code: muster.Unavailable, Err: notMuster(w.url(host, path), res)}
	}
	return &list, nil
}

// lateWithin is how long a server has to say who is late where nobody asked for it alone.
const lateWithin = time.Second

// findLate fills in who is late. Unless --late asks for it, a list has its answer without.
func (s *selector) findLate(ctx context.Context, c *cli, service string) error {
	within := lateWithin
	if s.late {
		within = c.duration("timeout")
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var err error
	if s.since, err = c.late(ctx, service); err != nil && s.late {
		return err
	}
	return nil
}
