package registrytest_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// locked runs g with the memory of f locked.
func (f *flawed) locked(g func()) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	g()
}

// present reports whether the memory holds k.
func (f *flawed) present(k muster.Key) (there bool) {
	f.locked(func() { there = f.m.entry(k) != nil })
	return there
}

func leaseMutants() []mutant {
	lease := func(name string, flaw func(*flawed), by ...string) mutant {
		return mutant{name, by, flawedHarness(flaw)}
	}
	never := func(in *muster.Instance, l *muster.Lease) {
		if l != nil {
			l.Lost = make(chan struct{})
		}
	}
	closed := func(in *muster.Instance, l *muster.Lease) {
		if l != nil {
			lost := make(chan struct{})
			close(lost)
			l.Lost = lost
		}
	}
	return []mutant{
		{"never closes Lost", []string{"LostIsClosedWhenForgotten"}, flawedSessionHarness(never)},
		{"has Lost closed from the start", []string{"LostIsClosedWhenForgotten", "RenewKeeps"}, flawedSessionHarness(closed)},
		lease("keeps the first registration", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				if f.present(in.Key()) {
					return muster.Lease{Instance: in, TTL: ttl}, nil
				}
				return f.polled.Register(ctx, in, ttl)
			}
		}, "RegisterTwiceReplaces", "LastRegisterTakesOver"),
		lease("refuses a key that is taken", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				if f.present(in.Key()) {
					return muster.Lease{}, &muster.Error{Code: muster.Conflict}
				}
				return f.polled.Register(ctx, in, ttl)
			}
		}, "RegisterTwiceReplaces", "LastRegisterTakesOver"),
		lease("leaves a gap when a key changes hands", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				f.locked(func() { f.m.remove(in.Key()) })
				time.Sleep(2 * interval)
				return f.polled.Register(ctx, in, ttl)
			}
		}, "LastRegisterTakesOver"),
		lease("tells the loser nothing", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				lapses, err := f.polled.Renew(ctx, ins)
				return slices.DeleteFunc(lapses, func(l muster.Lapse) bool { return l.Code == muster.Conflict }), err
			}
		}, "LoserRenewsConflict", "RenewManyReportsEach"),
		lease("tells the loser NotFound", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				lapses, err := f.polled.Renew(ctx, ins)
				for i := range lapses {
					lapses[i].Code = muster.NotFound
				}
				return lapses, err
			}
		}, "LoserRenewsConflict"),
		lease("renews in words only", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				return f.desk.renew(ctx, ins, func(g *grant) bool { return !g.gone })
			}
		}, "RenewKeeps"),
		lease("renews by writing again", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				lapses, err := f.polled.Renew(ctx, ins)
				f.locked(func() {
					for _, in := range ins {
						f.m.touch(in.Key())
					}
				})
				return lapses, err
			}
		}, "RenewKeeps"),
		lease("takes silence for health", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				lapses, err := f.polled.Renew(ctx, ins)
				return slices.DeleteFunc(lapses, func(l muster.Lapse) bool { return l.Code == muster.NotFound }), err
			}
		}, "RenewUnknownIsNotFound", "RenewManyReportsEach", "ForgottenIsNotFound"),
		lease("registers what it should renew", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				for _, in := range ins {
					if !f.present(in.Key()) {
						_, _ = f.polled.Register(ctx, in, time.Minute)
					}
				}
				return nil, nil
			}
		}, "RenewUnknownIsNotFound", "ForgottenIsNotFound", "SilentDriverLosesItsLeases"),
		lease("renews a page of 500", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				return f.polled.Renew(ctx, ins[:min(500, len(ins))])
			}
		}, "RenewManyReportsEach"),
		lease("refuses to renew nothing", func(f *flawed) {
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				if len(ins) == 0 {
					return nil, &muster.Error{Code: muster.Invalid}
				}
				return f.polled.Renew(ctx, ins)
			}
		}, "RenewNothingIsNil"),
		lease("lets no lease end", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				l, err := f.polled.Register(ctx, in, 100*ttl)
				l.TTL = ttl
				return l, err
			}
		}, "LeaseExpires", "SilentDriverLosesItsLeases", "CloseFreesLeases"),
		lease("ends leases early", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				l, err := f.polled.Register(ctx, in, ttl/4)
				l.TTL = ttl
				return l, err
			}
		}, "LeaseExpires", "RenewKeeps"),
		lease("brings back what expired", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				time.AfterFunc(ttl+3*interval, func() { _, _ = f.polled.Register(f.life, in, ttl) })
				return f.polled.Register(ctx, in, ttl)
			}
		}, "LeaseExpires"),
		lease("brings back what was deregistered", func(f *flawed) {
			f.deregister = func(ctx context.Context, in *muster.Instance) error {
				time.AfterFunc(3*interval, func() { _, _ = f.polled.Register(f.life, in, time.Minute) })
				return f.polled.Deregister(ctx, in)
			}
		}, "DeregisterIsImmediate"),
		lease("deregisters by waiting", func(f *flawed) {
			f.deregister = func(context.Context, *muster.Instance) error { return nil }
		}, "DeregisterIsImmediate", "WatchSeesAddChangeRemove"),
		lease("complains of nothing to deregister", func(f *flawed) {
			f.deregister = func(ctx context.Context, in *muster.Instance) error {
				if !f.present(in.Key()) {
					return &muster.Error{Code: muster.NotFound}
				}
				return f.polled.Deregister(ctx, in)
			}
		}, "DeregisterUnknownIsNil"),
		lease("deregisters another's", func(f *flawed) {
			f.deregister = func(ctx context.Context, in *muster.Instance) error {
				f.locked(func() { f.m.remove(in.Key()) })
				return nil
			}
		}, "DeregisterByFormerOwnerKeepsTheNewOne"),
		lease("drops a registration now and then", func(f *flawed) {
			var n atomic.Int64
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				if n.Add(1)%7 == 0 {
					return muster.Lease{Instance: in, TTL: ttl}, nil
				}
				return f.polled.Register(ctx, in, ttl)
			}
		}, "ConcurrentUse"),
	}
}

func fieldMutants() []mutant {
	field := func(name string, change func(*muster.Instance), by ...string) mutant {
		return mutant{name, by, flawedHarness(func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				in = in.Clone()
				change(in)
				return f.polled.Register(ctx, in, ttl)
			}
		})}
	}
	return []mutant{
		field("cuts metadata at 4 KiB", func(in *muster.Instance) {
			for k, v := range in.Metadata {
				in.Metadata[k] = v[:min(len(v), 4096)]
			}
		}, "InstanceRoundTrip"),
		field("drops empty labels", func(in *muster.Instance) {
			for k, v := range in.Metadata {
				if v == "" {
					delete(in.Metadata, k)
				}
			}
		}, "InstanceRoundTrip"),
		field("writes down the default weight", func(in *muster.Instance) {
			if in.Weight == nil {
				in.Weight = new(muster.DefaultWeight)
			}
		}, "InstanceRoundTrip"),
		field("takes weight 0 for none", func(in *muster.Instance) {
			if in.Weight != nil && *in.Weight == 0 {
				in.Weight = nil
			}
		}, "InstanceRoundTrip"),
		field("takes starting for up", func(in *muster.Instance) {
			if in.Status == muster.Starting {
				in.Status = muster.Up
			}
		}, "InstanceRoundTrip"),
		field("keeps whole seconds", func(in *muster.Instance) { in.Started = in.Started.Truncate(time.Second) }, "InstanceRoundTrip"),
		field("knows no tiers", func(in *muster.Instance) { in.Tier = 0 }, "InstanceRoundTrip"),
		field("takes the brackets off IPv6", func(in *muster.Instance) {
			in.Endpoints[0].Address = strings.NewReplacer("[", "", "]", "").Replace(in.Endpoints[0].Address)
		}, "InstanceRoundTrip"),
		field("takes case for a difference", func(in *muster.Instance) {
			if in.Service == "ORDERS" {
				in.Service = "orders-in-capitals"
			}
		}, "ServiceNamesFoldCase"),
		{"writes into the instance it is given", []string{"RegisterThenWatch"}, flawedHarness(func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				in.Zone = "mine"
				return f.polled.Register(ctx, in, ttl)
			}
		})},
		{"takes over the intent it is given", []string{"RegisterIgnoresWhatTheBackendSets"}, flawedHarness(func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				f.locked(func() { f.m.intents[in.Key().Fold()] = in.Intent })
				return f.polled.Register(ctx, in, ttl)
			}
		})},
		{"splits IDs at slashes", []string{"IDsAreKept"}, flawedSessionHarness(func(in *muster.Instance, l *muster.Lease) {
			if l == nil {
				in.ID = in.ID[strings.LastIndexByte(in.ID, '/')+1:] + "."
			}
		})},
		{"unescapes once too often", []string{"IDsAreKept"}, flawedSessionHarness(func(in *muster.Instance, l *muster.Lease) {
			if l == nil {
				in.ID = strings.ReplaceAll(in.ID, "%2F", "/")
			}
		})},
	}
}
