package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/config"
	"github.com/muster-go/muster/registry/open"
)

// registry opens the back end that --registry names, once.
func (c *cli) registry(opt *muster.Options) (*muster.Registry, error) {
	if c.open != nil {
		return c.open, nil
	}
	u, namespace, err := c.registryURL()
	if err != nil {
		return nil, err
	}
	c.warnPlain(u)
	d, err := open.Open(u, &open.Options{Namespace: namespace, Token: c.text(tokenKey), By: c.text("by"), Log: c.log})
	if err != nil {
		return nil, err
	}
	if opt == nil {
		opt = new(muster.Options)
	}
	opt.Log = c.log
	c.open = muster.New(d, opt)
	return c.open, nil
}

// warnPlain says that a token would go over plain HTTP to another machine.
func (c *cli) warnPlain(raw string) {
	u, err := open.Parse(raw)
	if err != nil {
		return
	}
	tls, _ := strconv.ParseBool(u.Query.Get("tls"))
	if u.Scheme != "muster" || u.TLS || tls {
		return
	}
	if token, err := u.Token(); err != nil || token == "" && c.text(tokenKey) == "" {
		return
	}
	for _, h := range u.Hosts {
		if ip := net.ParseIP(h.Name); h.Name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			c.progress("WARNING: the token goes to %s over plain HTTP, where whoever is on the way can read it; musters:// is meant.", h)
		}
	}
}

// unsigned is edits without who makes them, where the registry will know better than this program: who shows a token or a
// certificate is recorded by its name. A preview says nothing then.
func (c *cli) unsigned(edits []edit) []edit {
	if !c.proves() {
		return edits
	}
	out := slices.Clone(edits)
	for i := range out {
		out[i].after.By = ""
	}
	return out
}

// proves reports whether this program shows the registry who it is.
func (c *cli) proves() bool {
	raw, _, err := c.registryURL()
	if err != nil {
		return false
	}
	u, err := open.Parse(raw)
	if err != nil {
		return false
	}
	token, err := u.Token()
	return err == nil && (token != "" || c.text(tokenKey) != "" || u.Query.Get("cert") != "")
}

// registryURL is the URL of the registry, secrets included, and the namespace asked for beside it.
func (c *cli) registryURL() (u, namespace string, err error) {
	text, namespace := c.text("registry"), c.text("namespace")
	if reg, ok := c.named(text); ok {
		u, err := reg.Resolve(c.getenv)
		if err != nil {
			return "", "", &exitError{exitUsage, err}
		}
		return u, cmp.Or(namespace, reg.Namespace), nil
	}
	return text, namespace, c.checkName(text)
}

// checkName refuses what is neither a URL nor the name of a registry in muster.yaml.
func (c *cli) checkName(text string) error {
	if _, ok := c.named(text); ok || strings.Contains(text, ":") {
		return nil
	}
	if names := c.set.file.Names(); len(names) > 0 {
		return usage("registry %q is neither a URL nor one of %s", text, strings.Join(names, ", "))
	}
	return usage("registry %q is not a URL such as muster://127.0.0.1:8761, and no muster.yaml names it", text)
}

// named returns the registry that muster.yaml calls name.
func (c *cli) named(name string) (config.Registry, bool) {
	if c.set.file == nil {
		return config.Registry{}, false
	}
	reg, ok := c.set.file.Registries[name]
	return reg, ok
}

// close ends what registry opened.
func (c *cli) close() {
	if c.open == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.open.Close(ctx) // what a command registered it has closed itself
}

// view returns the whole list, once it came.
//
// Errors: Unavailable, as soon as it is clear that nothing will come, at the latest after --timeout.
func (c *cli) view(ctx context.Context) (*muster.View, error) {
	r, err := c.registry(nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	for v := range r.Views(ctx) {
		if v.Loaded {
			if v.Stale != nil {
				c.progress("The list is %s old and is not refreshed: %v", age(v.Fresh), v.Stale)
			}
			return v, nil
		}
		if v.Stale != nil && hopeless(v.Stale) {
			return nil, v.Stale
		}
		if v.Stale != nil {
			defer time.AfterFunc(patience, cancel).Stop() // once: the view changes again only when the list comes
		}
	}
	if v := r.View(); v.Stale != nil {
		return nil, v.Stale
	}
	if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
		return nil, &muster.Error{Op: "list", Code: muster.Unavailable, Err: errors.New("the registry did not answer within " + c.text("timeout"))}
	}
	return nil, ctx.Err()
}

// patience is how long a failing registry gets to answer after all: it may be loading, or one of several hosts be down.
const patience = time.Second

// hopeless reports whether trying again within a second is idle: nobody listens, or not who is believed, or the answer is a refusal.
func hopeless(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || distrusted(err) || muster.CodeOf(err) == muster.Denied || muster.CodeOf(err) == muster.Invalid
}

// service returns the list and the service that name means.
func (c *cli) service(ctx context.Context, name string) (*muster.View, *muster.Snapshot, error) {
	v, err := c.view(ctx)
	if err != nil {
		return nil, nil, err
	}
	snap := v.Table.Snapshot(name)
	if snap == nil {
		return v, nil, notFound("no service %q is registered in namespace %s%s", name, c.open.Namespace(), meant(name, serviceNames(v), "muster services"))
	}
	return v, snap, nil
}

func serviceNames(v *muster.View) []string {
	out := make([]string, len(v.Table.Services))
	for i, s := range v.Table.Services {
		out[i] = s.Service
	}
	return out
}

// age is how long ago t was, for people.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(time.Since(t))
}

// short writes a duration in its two largest units at most: "3s", "4m10s", "2h5m", "3d4h".
func short(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Minute:
		return d.Round(time.Second).String()
	case d < 24*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
