package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// handles remembers which handle stands for which lease.
type handles struct {
	mu      sync.Mutex // guards byLease
	byLease map[leaseName]nativewire.Handle
}

// leaseName names a lease: its folded key and its owner.
type leaseName struct {
	key   muster.Key
	owner string
}

func nameOf(in *muster.Instance) leaseName { return leaseName{in.Key().Fold(), in.Owner} }

func (h *handles) set(name leaseName, handle nativewire.Handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byLease[name] = handle
}

func (h *handles) forget(name leaseName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byLease, name)
}

// Register registers in under its key.
//
// Errors: as of [muster.Driver].
func (d *Driver) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	r := &request{op: "register", key: in.Key(), method: http.MethodPut, path: pathOf(in.Key()), kind: "application/json"}
	var err error
	if r.body, err = json.Marshal(nativewire.FromRegistration(in, ttl)); err != nil {
		return muster.Lease{}, d.named(ctx, r, &muster.Error{Code: muster.Invalid, Err: err})
	}
	a, err := d.ask(ctx, r)
	if err != nil {
		return muster.Lease{}, err
	}
	var l nativewire.Lease
	if err := d.decode(r, a, &l); err != nil {
		return muster.Lease{}, err
	}
	got, err := l.Instance.Instance()
	if err != nil || l.TTL <= 0 {
		return muster.Lease{}, d.named(ctx, r, unavailable("the server answered with a lease that is none (ttl %v): %w", time.Duration(l.TTL), err))
	}
	d.handles.set(nameOf(in), l.Handle)
	return muster.Lease{Instance: got, TTL: time.Duration(l.TTL)}, nil
}

// Renew extends the leases of ins: in binary those whose handle is known, then by name the others and those whose handle was
// refused, which tells whether to register again or to stop.
//
// Errors: Unavailable, Closed, or ctx.Err().
func (d *Driver) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	named := make([]*muster.Instance, 0, 8)
	known := make([]*muster.Instance, 0, len(ins))
	beats := make([]nativewire.Handle, 0, len(ins))
	d.handles.mu.Lock()
	for _, in := range ins {
		if h, ok := d.handles.byLease[nameOf(in)]; ok {
			known, beats = append(known, in), append(beats, h)
		} else {
			named = append(named, in)
		}
	}
	d.handles.mu.Unlock()
	var lapses []muster.Lapse
	for len(beats) > 0 {
		n := min(len(beats), nativewire.MaxBeats)
		refused, err := d.renewHandles(ctx, beats[:n])
		if err != nil {
			return lapses, err
		}
		for _, l := range refused {
			if l.Code == muster.Conflict {
				lapses = append(lapses, d.lapse(known[l.Index], l.Code))
			} else {
				named = append(named, known[l.Index])
			}
		}
		known, beats = known[n:], beats[n:]
	}
	for len(named) > 0 {
		n := min(len(named), nativewire.MaxNamed)
		more, err := d.renewNamed(ctx, named[:n])
		if err != nil {
			return lapses, err
		}
		lapses, named = append(lapses, more...), named[n:]
	}
	return lapses, nil
}

func (d *Driver) renewHandles(ctx context.Context, beats []nativewire.Handle) ([]nativewire.Lapsed, error) {
	r := &request{
		op: "renew", method: http.MethodPost, path: "/heartbeats", kind: nativewire.FrameType,
		body:  nativewire.AppendFrame(make([]byte, 0, 8+8*len(beats)), beats),
		limit: nativewire.MaxReply,
	}
	a, err := d.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	lapsed, err := nativewire.ParseReply(a.body, len(beats))
	if err != nil {
		return nil, d.named(ctx, r, unavailable("%w: is this the address of muster serve?", err))
	}
	return lapsed, nil
}

// renewNamed renews by name and learns the handles.
func (d *Driver) renewNamed(ctx context.Context, ins []*muster.Instance) (lapses []muster.Lapse, err error) {
	ask := nativewire.Heartbeats{Items: make([]nativewire.Heartbeat, len(ins))}
	for i, in := range ins {
		ask.Items[i] = nativewire.Heartbeat{Service: in.Service, ID: in.ID, Owner: in.Owner}
	}
	r := &request{op: "renew", method: http.MethodPost, path: "/heartbeats", kind: "application/json"}
	if r.body, err = json.Marshal(ask); err != nil {
		return nil, d.named(ctx, r, &muster.Error{Code: muster.Invalid, Err: err})
	}
	a, err := d.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	var got nativewire.HeartbeatAnswers
	if err := d.decode(r, a, &got); err != nil {
		return nil, err
	}
	if len(got.Items) != len(ins) {
		return nil, d.named(ctx, r, unavailable("%d answers to %d heartbeats", len(got.Items), len(ins)))
	}
	for i, in := range ins {
		switch x := got.Items[i]; x.Code {
		case "":
			d.handles.set(nameOf(in), x.Handle)
		case muster.NotFound, muster.Conflict:
			lapses = append(lapses, d.lapse(in, x.Code))
		default:
			return nil, &muster.Error{Op: "renew", Service: in.Service, Instance: in.ID, Code: muster.Unavailable,
				Err: fmt.Errorf("the server answered a heartbeat with the unknown code %q", x.Code)}
		}
	}
	return lapses, nil
}

// Deregister removes in if its owner still holds it.
//
// Errors: Unavailable, Denied, Closed, or ctx.Err().
func (d *Driver) Deregister(ctx context.Context, in *muster.Instance) error {
	_, err := d.ask(ctx, &request{
		op: "deregister", key: in.Key(), method: http.MethodDelete, path: pathOf(in.Key()), query: url.Values{"owner": {in.Owner}},
	})
	switch muster.CodeOf(err) {
	case "", muster.NotFound, muster.Conflict:
	default:
		return err
	}
	d.handles.forget(nameOf(in))
	return nil
}

// lapse says that in's lease is gone, and forgets its handle.
func (d *Driver) lapse(in *muster.Instance, code muster.Code) muster.Lapse {
	d.handles.forget(nameOf(in))
	return muster.Lapse{Key: in.Key(), Code: code}
}
