package registrytest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/registrytest"
)

// remade returns t with each snapshot replaced by what change makes of a copy.
func remade(t *muster.Table, change func(*muster.Snapshot)) *muster.Table {
	out := *t
	out.Services = nil
	for _, x := range t.Services {
		y := *x
		y.Instances = slices.Clone(x.Instances)
		change(&y)
		out.Services = append(out.Services, &y)
	}
	return &out
}

// steady returns an emit that makes each table anew by change, once: a repeated table gives a repeated result.
func steady(change func(*muster.Snapshot)) func(*muster.Table, func(*muster.Table)) {
	made := make(map[*muster.Table]*muster.Table)
	return func(t *muster.Table, emit func(*muster.Table)) {
		if made[t] == nil {
			made[t] = remade(t, change)
		}
		emit(made[t])
	}
}

func watchMutants() []mutant {
	watch := func(name string, flaw func(*flawed), by ...string) mutant {
		return mutant{name, by, flawedHarness(flaw)}
	}
	return []mutant{
		{"claims to lack what it has", []string{"HarnessTellsTheTruth"}, func() registrytest.Harness {
			h := polledHarness()
			h.Lacks[registrytest.Auditing] = "it is there all the same"
			return h
		}()},
		watch("shows an instance less", func(f *flawed) {
			f.emit = steady(func(x *muster.Snapshot) { x.Instances = x.Instances[:max(0, len(x.Instances)-1)] })
		}, "RegisterThenWatch", "TableIsSortedAndComplete", "WatchEmitsCompleteTableAtOnce"),
		watch("begins with an empty table", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				emit(&muster.Table{Revision: "begin"})
				return f.polled.Watch(ctx, scope, prev, emit)
			}
		}, "WatchEmitsCompleteTableAtOnce"),
		watch("waits for a first instance", func(f *flawed) {
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				if len(t.Services) > 0 {
					emit(t)
				}
			}
		}, "WatchEmitsCompleteTableAtOnce"),
		watch("freezes after the first table", func(f *flawed) {
			var first *muster.Table
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				if first == nil {
					first = t
				}
				emit(first)
			}
		}, "WatchSeesAddChangeRemove", "DeregisterIsImmediate"),
		watch("changes what it published", func(f *flawed) {
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				emit(t)
				for _, x := range t.Services {
					x.Attrs = map[string]string{"read": "once"}
				}
			}
		}, "WatchSeesAddChangeRemove"),
		watch("lists backwards", func(f *flawed) {
			f.emit = steady(func(x *muster.Snapshot) { slices.Reverse(x.Instances) })
		}, "TableIsSortedAndComplete"),
		watch("sorts services by the letters as written", func(f *flawed) {
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				out := *t
				out.Services = slices.Clone(t.Services)
				slices.Reverse(out.Services)
				emit(&out)
			}
		}, "TableIsSortedAndComplete"),
		watch("makes snapshots anew", func(f *flawed) {
			f.emit = steady(func(*muster.Snapshot) {})
		}, "UnchangedSnapshotKeepsItsPointer"),
		watch("makes snapshots and their revisions anew", func(f *flawed) {
			n := 0
			f.emit = steady(func(x *muster.Snapshot) { n++; x.Revision = muster.Revision(fmt.Sprint(n)) })
		}, "UnchangedSnapshotKeepsItsPointer", "IntentIsForOneKey"),
		watch("confirms with another table", func(f *flawed) {
			f.emit = func(t *muster.Table, emit func(*muster.Table)) { out := *t; emit(&out) }
		}, "ConfirmationsRepeatTheSameTable"),
		watch("is silent while nothing changes", func(f *flawed) {
			var last *muster.Table
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				if t != last {
					emit(t)
				}
				last = t
			}
		}, "ConfirmationsRepeatTheSameTable"),
		watch("ignores the scope", func(f *flawed) {
			f.watch = func(ctx context.Context, _ []string, prev *muster.Table, emit func(*muster.Table)) error {
				return f.polled.Watch(ctx, nil, prev, emit)
			}
		}, "ScopeLimitsTheTable"),
		watch("takes an empty scope for none", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				if len(scope) == 0 {
					scope = nil
				}
				return f.polled.Watch(ctx, scope, prev, emit)
			}
		}, "ScopeLimitsTheTable"),
		watch("compares the scope letter by letter", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				scope = slices.DeleteFunc(slices.Clone(scope), func(x string) bool { return x != strings.ToLower(x) })
				return f.polled.Watch(ctx, scope, prev, emit)
			}
		}, "ScopeLimitsTheTable"),
		watch("forgets prev and does not say so", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, _ *muster.Table, emit func(*muster.Table)) error {
				anew := steady(func(*muster.Snapshot) {})
				return f.polled.Watch(ctx, scope, nil, func(t *muster.Table) { anew(t, emit) })
			}
		}, "PrevResumesOrRelists", "PrevOfAnotherLifeRelists"),
		watch("trusts any prev", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				if prev != nil {
					emit(prev)
				}
				return f.polled.Watch(ctx, scope, prev, emit)
			}
		}, "PrevOfAnotherLifeRelists"),
		watch("skips what happened since prev", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				if prev == nil {
					return f.polled.Watch(ctx, scope, nil, emit)
				}
				return f.polled.Watch(ctx, scope, prev, func(*muster.Table) { emit(prev) })
			}
		}, "PrevResumesOrRelists"),
		watch("says that every table was relisted", func(f *flawed) {
			made := make(map[*muster.Table]*muster.Table)
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				if made[t] == nil {
					out := *t
					out.Relisted = true
					made[t] = &out
				}
				emit(made[t])
			}
		}, "PrevResumesOrRelists"),
		watch("never says that it relisted", func(f *flawed) {
			f.emit = func(t *muster.Table, emit func(*muster.Table)) {
				out := *t
				out.Relisted = false
				emit(&out)
			}
		}, "PrevOfAnotherLifeRelists", "WipeIsRelisted"),
		watch("takes IDs for unique", func(f *flawed) {
			f.deregister = func(ctx context.Context, in *muster.Instance) error {
				twin := in.Clone()
				twin.Service = "orders.eu"
				return errors.Join(f.polled.Deregister(ctx, twin), f.polled.Deregister(ctx, in))
			}
		}, "ServicesAreIsolated"),
		watch("knows one namespace", func(f *flawed) { f.namespace = muster.DefaultNamespace }, "NamespacesAreIsolated"),
		watch("hides what it cannot read", func(f *flawed) {
			f.emit = steady(func(x *muster.Snapshot) { x.Skipped = nil })
		}, "ForeignEntriesAreSkippedAndCounted"),
		watch("gives up at what it cannot read", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				ctx, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				err := f.polled.Watch(ctx, scope, prev, func(t *muster.Table) {
					for _, x := range t.Services {
						if len(x.Skipped) > 0 {
							cancel(&muster.Error{Code: muster.Internal})
						}
					}
					if ctx.Err() == nil {
						emit(t)
					}
				})
				return errors.Join(context.Cause(ctx), err)
			}
		}, "ForeignEntriesAreSkippedAndCounted"),
		watch("watches on behind its caller's back", func(f *flawed) {
			f.watch = func(ctx context.Context, scope []string, prev *muster.Table, emit func(*muster.Table)) error {
				go func() { _ = f.polled.Watch(context.WithoutCancel(ctx), scope, prev, emit) }()
				<-ctx.Done()
				return ctx.Err()
			}
		}, "PrevResumesOrRelists"),
		watch("lists a page of 500", func(f *flawed) {
			f.emit = steady(func(x *muster.Snapshot) { x.Instances = x.Instances[:min(500, len(x.Instances))] })
		}, "LargeTableIsComplete"),
		watch("shows changes late", func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				time.AfterFunc(3*interval, func() { _, _ = f.polled.Register(f.life, in, ttl) })
				return muster.Lease{Instance: in, TTL: ttl}, nil
			}
		}, "RegisterThenWatch"),
	}
}
