package registrytest_test

import (
	"context"
	"time"

	"github.com/muster-go/muster"
)

// intentFlaw is a driver whose SetIntent is replaced.
func intentFlaw(name string, set func(*flawed, context.Context, muster.Key, muster.Intent) (*muster.Intent, error), by ...string) mutant {
	return mutant{name, by, flawedHarness(func(f *flawed) {
		f.setIntent = func(ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			return set(f, ctx, k, it)
		}
	})}
}

func intentMutants() []mutant {
	return []mutant{
		{"has no terms", []string{"TermsAreFilledIn"}, flawedHarness(func(f *flawed) {
			f.terms = func() muster.Terms { return muster.Terms{Expires: true} }
		})},
		{"keeps intents to itself", []string{"IntentIsAttached", "IntentForAbsentInstance"}, flawedHarness(func(f *flawed) {
			f.emit = steady(func(x *muster.Snapshot) {
				for i, in := range x.Instances {
					x.Instances[i] = in.Clone()
					x.Instances[i].Intent = nil
				}
			})
		})},
		{"undoes an intent by registering", []string{"IntentSurvivesReregistration", "IntentForAbsentInstance"}, flawedHarness(func(f *flawed) {
			f.register = func(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
				f.locked(func() { delete(f.m.intents, in.Key().Fold()) })
				return f.polled.Register(ctx, in, ttl)
			}
		})},
		{"undoes an intent by deregistering", []string{"IntentSurvivesReregistration"}, flawedHarness(func(f *flawed) {
			f.deregister = func(ctx context.Context, in *muster.Instance) error {
				f.locked(func() { delete(f.m.intents, in.Key().Fold()) })
				return f.polled.Deregister(ctx, in)
			}
		})},
		intentFlaw("wants an instance first", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			if !f.present(k) {
				return nil, &muster.Error{Code: muster.NotFound}
			}
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentForAbsentInstance"),
		intentFlaw("lets the last writer win", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			it.Rev = 0
			if old, _ := f.Intent(ctx, k); old != nil {
				it.Rev = old.Rev
			}
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentRevGuards"),
		intentFlaw("keeps what was removed", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			if it.Empty() {
				return nil, nil
			}
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentEmptyRemoves"),
		intentFlaw("makes the best of nonsense", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			if it.Validate() != nil {
				it = muster.Intent{Enabled: it.Enabled, Rev: it.Rev}
			}
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentInvalidIsRefused"),
		intentFlaw("writes to the neighbours", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			other := k
			other.Service = "orders.eu"
			_, _ = f.polled.SetIntent(ctx, other, it)
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentIsForOneKey"),
		intentFlaw("forgets the end", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			f.expires = false
			defer func() { f.expires = true }()
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentExpires"),
		intentFlaw("ends all that is wanted", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			it.Then = new(muster.Intent{})
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentWithAnEndGivesWayToTheOneWithout"),
		intentFlaw("gives way to what had an end", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			if old, _ := f.Intent(ctx, k); old != nil && it.Then == nil {
				it.Then = &muster.Intent{Enabled: old.Enabled, Weight: old.Weight, Note: old.Note, Why: old.Why}
			}
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentWithAnEndGivesWayToTheOneWithout"),
		intentFlaw("does not listen to what comes then", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			it.Then = nil
			return f.polled.SetIntent(ctx, k, it)
		}, "IntentWithAnEndGivesWayToTheOneWithout"),
		intentFlaw("ends before the end", func(f *flawed, ctx context.Context, k muster.Key, it muster.Intent) (*muster.Intent, error) {
			stored, err := f.polled.SetIntent(ctx, k, it)
			if stored != nil && !it.Until.IsZero() {
				early := it.Until.Add(-2 * interval)
				time.AfterFunc(time.Until(early), func() {
					f.locked(func() { f.m.setIntent(k, muster.Intent{}, "expired", "") })
				})
			}
			return stored, err
		}, "IntentExpires"),
	}
}
