package registrytest_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// with returns h with its back ends changed.
func with(h registrytest.Harness, change func(*registrytest.Backend)) registrytest.Harness {
	sound := h.New
	h.New = func(tb testing.TB) registrytest.Backend {
		b := sound(tb)
		change(&b)
		return b
	}
	return h
}

func faultMutants() []mutant {
	fault := func(name string, flaw func(*flawed), by ...string) mutant {
		return mutant{name, by, flawedHarness(flaw)}
	}
	type emit = func(*muster.Table)
	return []mutant{
		fault("watches on after its context ended", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				return f.polled.Watch(context.WithoutCancel(ctx), scope, prev, emit)
			}
		}, "CancelUnblocks"),
		fault("registers without regard to its context", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				return f.polled.Register(context.WithoutCancel(ctx), in, ttl)
			}
		}, "CancelUnblocks"),
		fault("closes in words only", func(f *flawed) {
			f.shut = func() error { return nil }
		}, "CloseUnblocksWatch", "UseAfterCloseIsClosed"),
		fault("closes once", func(f *flawed) {
			var done atomic.Bool
			f.shut = func() error {
				if done.Swap(true) {
					return &muster.Error{Code: muster.Closed}
				}
				return f.polled.Close()
			}
		}, "CloseTwice"),
		fault("says goodbye without a limit", func(f *flawed) {
			f.shut = func() error {
				_ = f.m.do(context.Background(), func() error { return nil })
				return f.polled.Close()
			}
		}, "CloseWithBackendGone"),
		fault("shows nothing when it knows nothing", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				err := f.polled.Watch(ctx, scope, prev, emit)
				if errors.Is(err, muster.Unavailable) {
					emit(&muster.Table{Revision: "nothing"})
				}
				return err
			}
		}, "BackendDownIsUnavailable", "RecoversAfterInterrupt"),
		fault("waits for better times", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				for {
					err := f.polled.Watch(ctx, scope, prev, emit)
					if !errors.Is(err, muster.Unavailable) {
						return err
					}
				}
			}
		}, "BackendDownIsUnavailable"),
		fault("says that something is wrong", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				l, err := f.polled.Register(ctx, in, ttl)
				if errors.Is(err, muster.Unavailable) {
					err = errors.New("something is wrong")
				}
				return l, err
			}
		}, "BackendDownIsUnavailable"),
		fault("watches to an end without an error", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				err := f.polled.Watch(ctx, scope, prev, emit)
				if errors.Is(err, muster.Unavailable) {
					return nil
				}
				return err
			}
		}, "BackendDownIsUnavailable", "RecoversAfterInterrupt"),
		fault("never gets over it", func(f *flawed) {
			var broken atomic.Bool
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				if broken.Load() {
					return &muster.Error{Code: muster.Unavailable}
				}
				err := f.polled.Watch(ctx, scope, prev, emit)
				broken.Store(ctx.Err() == nil)
				return err
			}
			f.renew = func(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
				l, err := f.polled.Renew(ctx, ins)
				if err != nil {
					broken.Store(true)
				}
				return l, err
			}
		}, "RecoversAfterInterrupt"),
		{"restarts with nothing", []string{"RestartKeepsRegistrations", "IntentSurvivesRestart"}, with(polledHarness(), func(b *registrytest.Backend) { b.Restart = b.Wipe })},
		fault("keeps a lease for nobody", func(f *flawed) {
			f.shut = func() error {
				f.locked(func() {
					for _, r := range f.m.rooms {
						for _, x := range r.shelves {
							for _, e := range x.entries {
								e.grant.end.Reset(time.Hour)
							}
						}
					}
				})
				return f.polled.Close()
			}
		}, "CloseFreesLeases"),
		fault("leaves a goroutine", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit emit) error {
				go func() { <-f.stop }()
				return f.polled.Watch(ctx, scope, prev, emit)
			}
		}, "NoGoroutineLeft"),
	}
}

func powerMutants() []mutant {
	power := func(name string, flaw func(*flawed), by ...string) mutant {
		return mutant{name, by, flawedHarness(flaw)}
	}
	return []mutant{
		power("lists services as they come", func(f *flawed) {
			f.services = func(ctx context.Context) ([]string, error) {
				names, err := f.polled.Services(ctx)
				slices.Reverse(names)
				return names, err
			}
		}, "ListerListsSorted"),
		power("removes what is its own", func(f *flawed) {
			f.remove = func(context.Context, muster.Key) error { return nil }
		}, "RemoverRemovesAnothers"),
		power("stays when it leaves", func(f *flawed) {
			f.leave = func(context.Context, *muster.Instance) error { return nil }
		}, "LeaverTakesOut"),
		power("overrides for good", func(f *flawed) {
			f.setStatus = func(ctx context.Context, k muster.Key, s muster.Status) error {
				if s == muster.Unknown {
					return nil
				}
				return f.polled.SetStatus(ctx, k, s)
			}
		}, "StatusOverrideSetAndRemoved"),
		power("overrides what is not there", func(f *flawed) {
			f.setStatus = func(ctx context.Context, k muster.Key, s muster.Status) error {
				err := f.polled.SetStatus(ctx, k, s)
				if errors.Is(err, muster.NotFound) {
					return nil
				}
				return err
			}
		}, "StatusOverrideSetAndRemoved"),
		power("is nowhere", func(f *flawed) {
			f.localIP = func() (netip.Addr, error) { return netip.IPv4Unspecified(), nil }
		}, "RouterFindsLocalIP"),
		power("audits from the oldest", func(f *flawed) {
			f.auditing = func(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
				recs, err := f.polled.Audit(ctx, service, before, limit)
				slices.Reverse(recs)
				return recs, err
			}
		}, "AuditShowsBeforeAndAfter"),
		power("audits the intent's reason for the act's", func(f *flawed) {
			f.auditing = func(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
				recs, err := f.polled.Audit(ctx, service, before, limit)
				for i := range recs {
					if after := recs[i].After; after != nil {
						recs[i].Why = after.Why
					}
				}
				return recs, err
			}
		}, "AuditTakesTheReasonOfTheAct"),
		power("does not record what was before", func(f *flawed) {
			f.auditing = func(ctx context.Context, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
				recs, err := f.polled.Audit(ctx, service, before, limit)
				for i := range recs {
					recs[i].Before = nil
				}
				return recs, err
			}
		}, "AuditShowsBeforeAndAfter"),
	}
}
