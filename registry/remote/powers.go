package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// Namespace returns the namespace that the driver was opened for.
func (d *Driver) Namespace() string { return d.opt.Namespace }

// Services returns the names of the services that have an instance, sorted.
//
// Errors: Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Services(ctx context.Context) ([]string, error) {
	r := &request{op: "services", method: http.MethodGet, path: "/services", limit: 64 << 20}
	a, err := d.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	var list nativewire.List[nativewire.Service]
	if err := d.decode(r, a, &list); err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i, s := range list.Items {
		names[i] = s.Service
	}
	return names, nil
}

// SetStatus sets the server's own override, which lives with the lease; Unknown removes it.
//
// Errors: NotFound, Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) SetStatus(ctx context.Context, k muster.Key, s muster.Status) error {
	r := &request{op: "override", key: k, method: http.MethodDelete, path: pathOf(k) + "/override", header: d.by("")}
	if s != muster.Unknown {
		r.method, r.kind = http.MethodPut, "application/json"
		var err error
		if r.body, err = json.Marshal(nativewire.Override{Status: s.String()}); err != nil {
			return d.named(ctx, r, &muster.Error{Code: muster.Invalid, Err: err})
		}
	}
	_, err := d.ask(ctx, r)
	return err
}

// Remove deregisters k whoever owns it; the server records who did.
//
// Errors: NotFound, Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Remove(ctx context.Context, k muster.Key) error {
	_, err := d.ask(ctx, &request{op: "remove", key: k, method: http.MethodDelete, path: pathOf(k), header: d.by(""), once: true})
	return err
}

// Place implements muster.Placer.
//
// Errors: as there, Closed, or ctx.Err().
func (d *Driver) Place(ctx context.Context, in *muster.Instance) (*muster.Instance, error) {
	reg := nativewire.FromRegistration(in, 0)
	reg.Owner, reg.Static = "", true
	r := &request{op: "place", key: in.Key(), method: http.MethodPut, path: pathOf(in.Key()), kind: "application/json", header: d.by("")}
	var err error
	if r.body, err = json.Marshal(reg); err != nil {
		return nil, d.named(ctx, r, &muster.Error{Code: muster.Invalid, Err: err})
	}
	a, err := d.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	var l nativewire.Lease
	if err := d.decode(r, a, &l); err != nil {
		return nil, err
	}
	if !l.Instance.Static {
		return nil, d.named(ctx, r, &muster.Error{Code: muster.Unsupported, Err: errors.New("the server registered it with a lease: it is too old for static instances")})
	}
	return l.Instance.Instance()
}

// Intent returns the intent for k, or nil when there is none.
//
// Errors: Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Intent(ctx context.Context, k muster.Key) (*muster.Intent, error) {
	r := &request{op: "intent", key: k, method: http.MethodGet, path: pathOf(k) + "/intent"}
	a, err := d.ask(ctx, r)
	if muster.CodeOf(err) == muster.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.decodeIntent(r, a)
}

// SetIntent writes it in place of the intent whose Rev is it.Rev. When the server may have taken it and did not answer, the
// outcome is unknown and the error says so: read the intent before writing again.
//
// Errors: Conflict, Invalid, Denied, Exhausted, Unavailable, Closed, or ctx.Err().
func (d *Driver) SetIntent(ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
	r := &request{op: "set intent", key: k, method: http.MethodPut, path: pathOf(k) + "/intent", kind: "application/json", header: d.by(it.By), once: true}
	r.header.Set("If-Match", strconv.Quote(strconv.FormatUint(it.Rev, 10)))
	if why := muster.WhyOf(ctx); why != "" {
		r.query = url.Values{"why": {why}}
	}
	err := it.Validate() // here too: JSON cannot carry what is not UTF-8
	if err == nil {
		r.body, err = json.Marshal(nativewire.FromWish(&it))
	}
	if err != nil {
		return nil, d.named(ctx, r, err)
	}
	a, err := d.ask(ctx, r)
	if err != nil {
		if muster.CodeOf(err) == muster.Unavailable && !unsent(err) {
			err = &muster.Error{Op: r.op, Service: k.Service, Instance: k.ID, Code: muster.Unavailable, Err: fmt.Errorf("%w (whether it was written is unknown: read it again)", err)}
		}
		return nil, err
	}
	if a.status == http.StatusNoContent {
		return &muster.Intent{}, nil
	}
	return d.decodeIntent(r, a)
}

// Terms says what an intent is worth on muster serve. It asks the server whether it has a data file; when that does not answer
// the terms name both cases.
func (d *Driver) Terms() muster.Terms {
	terms := muster.Terms{
		Durable: true,
		Expires: true,
		Reaches: "every client of this muster serve, Eureka's included",
		Lives:   "in the data file of muster serve, synced before the answer; in its memory only if it runs without one",
	}
	switch st, err := d.status(); {
	case err != nil:
	case st.Durable:
		terms.Lives = "in the data file of muster serve, synced before the answer"
	default:
		terms.Durable, terms.Lives = false, "in the memory of muster serve, which has no data file: until it ends"
	}
	return terms
}

// status asks the current server how it is.
func (d *Driver) status() (st nativewire.Status, err error) {
	r := &request{op: "status", method: http.MethodGet, path: "/status", server: true}
	a, err := d.ask(d.ctx, r)
	if err == nil {
		err = d.decode(r, a, &st)
	}
	return st, err
}

// Audit returns what operators did, newest first.
//
// Errors: Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Audit(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	var out []muster.AuditRecord
	for limit > len(out) {
		page := min(limit-len(out), 1000)
		r := &request{op: "audit", method: http.MethodGet, path: "/audit", limit: 32 << 20, query: url.Values{
			"limit": {strconv.Itoa(page)}, "before": {strconv.FormatUint(before, 10)},
		}}
		if service != "" {
			r.query.Set("service", service)
		}
		a, err := d.ask(ctx, r)
		if err != nil {
			return nil, err
		}
		var list nativewire.List[nativewire.AuditRecord]
		if err := d.decode(r, a, &list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			out = append(out, list.Items[i].AuditRecord())
		}
		if len(list.Items) < page {
			break
		}
		before = list.Items[len(list.Items)-1].ID
	}
	return out, nil
}

// LocalIP returns this machine's address on the route to the current host. It sends nothing.
//
// Errors: Unavailable, Closed.
func (d *Driver) LocalIP(ctx context.Context) (netip.Addr, error) {
	ctx, end, err := d.begin(ctx, "route")
	if err != nil {
		return netip.Addr{}, err
	}
	defer end()
	host := d.opt.Hosts[d.current.Load()]
	conn, err := new(net.Dialer).DialContext(ctx, "udp", host)
	if err != nil {
		return netip.Addr{}, &muster.Error{Op: "route", Code: muster.Unavailable, Err: fmt.Errorf("no route to %s: %w", host, err)}
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone(""), nil
}

func (d *Driver) decodeIntent(r *request, a *answer) (*muster.Intent, error) {
	var w nativewire.Intent
	if err := d.decode(r, a, &w); err != nil {
		return nil, err
	}
	return w.Intent(), nil
}

// by says who acts.
func (d *Driver) by(name string) http.Header {
	if name == "" {
		name = d.opt.By
	}
	return http.Header{"Muster-By": {name}}
}
