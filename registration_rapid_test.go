package muster_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster"
)

// trial is a Registry over a back end to which anything may happen, and what the test knows of both.
type trial struct {
	f       *beating
	r       *muster.Registry
	live    map[muster.Key]*muster.Registration
	version map[muster.Key]string
	ended   map[string]bool // owners that were closed or displaced
	since   time.Time       // the back end has been up and answering, and nothing was forgotten
}

const unsure = "either"

const trialTTL = 9 * time.Second

// mended is how long the registry may take to put everything right: a request that hung, a pause before the next try, the next
// heartbeat, and a second before what was lost is registered.
const mended = 5*time.Second + 5*time.Second + trialTTL/3 + 2*time.Second

func (m *trial) touch() { m.since = time.Now() }

// pick chooses one that is registered; if there is none, one is now.
func (m *trial) pick(t *rapid.T) (muster.Key, *muster.Registration) {
	keys := make([]muster.Key, 0, len(m.live))
	for k := range m.live {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		m.heal()
		time.Sleep(mended) // a Close that gave up still has its key
		in := orders(1)
		reg, err := m.r.Register(context.Background(), *in)
		if err != nil {
			t.Fatalf("register with a registry that is well: %v", err)
		}
		m.live[in.Key()], m.version[in.Key()] = reg, ""
		return in.Key(), reg
	}
	slices.SortFunc(keys, func(a, b muster.Key) int { return cmp.Compare(a.ID, b.ID) })
	k := rapid.SampledFrom(keys).Draw(t, "which")
	return k, m.live[k]
}

func within(t *rapid.T, what string, allowed time.Duration, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	begin := time.Now()
	do(ctx)
	if d := time.Since(begin); d > allowed+time.Second {
		t.Fatalf("%s took %v with %v allowed", what, d, allowed)
	}
}

func (m *trial) actions() map[string]func(*rapid.T) {
	times := []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second}
	allowed := func(t *rapid.T) time.Duration { return rapid.SampledFrom(times).Draw(t, "allowed") }
	return map[string]func(*rapid.T){
		"register": func(t *rapid.T) {
			in := orders(rapid.IntRange(1, 5).Draw(t, "n"))
			within(t, "register", allowed(t), func(ctx context.Context) {
				reg, err := m.r.Register(ctx, *in)
				switch _, known := m.live[in.Key()]; {
				case known && muster.CodeOf(err) != muster.Conflict:
					t.Fatalf("registered twice: %v", err)
				case err == nil:
					m.live[in.Key()], m.version[in.Key()] = reg, ""
				}
			})
			m.touch()
		},
		"close": func(t *rapid.T) {
			k, reg := m.pick(t)
			twice := rapid.Bool().Draw(t, "twice at once")
			within(t, "close", allowed(t), func(ctx context.Context) {
				second := make(chan struct{})
				go func() {
					defer close(second)
					if twice {
						reg.Close(ctx)
					}
				}()
				reg.Close(ctx)
				<-second
			})
			m.ended[reg.Instance().Owner] = true
			delete(m.live, k)
			m.touch()
		},
		"update": func(t *rapid.T) {
			k, reg := m.pick(t)
			within(t, "update", allowed(t), func(ctx context.Context) {
				v := fmt.Sprint(time.Now().UnixNano())
				called := false
				err := reg.Update(ctx, func(in *muster.Instance) { in.Version, called = v, true })
				if called && muster.CodeOf(err) != muster.Denied {
					m.version[k] = v
				}
			})
			m.touch()
		},
		"displace": func(t *rapid.T) {
			k, reg := m.pick(t)
			other := orders(1)
			other.ID, other.Owner = k.ID, fmt.Sprint("rival", time.Now().UnixNano())
			m.f.put(other)
			m.heal()
			time.Sleep(mended)
			select {
			case <-reg.Done():
				m.ended[reg.Instance().Owner] = true
				delete(m.live, k)
			default:
				if reg.Err() == nil && m.f.get(k).Owner == other.Owner {
					t.Fatalf("displaced, and goes on")
				}
			}
			if in := m.f.get(k); in.Owner == other.Owner {
				m.f.remove(in)
			}
		},
		"fault": func(t *rapid.T) {
			k, _ := m.pick(t)
			rapid.SampledFrom([]func(){
				m.f.forget,
				func() { m.f.change(func() { delete(m.f.held, k.Fold()) }) },
				func() { m.f.set(func() { clear(m.f.held); close(m.f.lost); m.f.lost = make(chan struct{}) }) },
				func() { m.f.set(func() { m.f.hang = true }) },
				func() { m.f.set(func() { m.f.fail = muster.Unavailable }) },
				func() { m.f.set(func() { m.f.slow = 300 * time.Millisecond }) },
				func() {
					m.f.set(func() { m.f.refuse = muster.Denied })
					for k := range m.live { // a change that is still on its way may be refused
						m.version[k] = unsure
					}
				},
			}).Draw(t, "which one")()
			m.touch()
		},
		"heal":       func(*rapid.T) { m.heal() },
		"heal fully": func(*rapid.T) { m.heal(); time.Sleep(mended); synctest.Wait() },
		"wait":       func(t *rapid.T) { time.Sleep(rapid.SampledFrom(times).Draw(t, "for")); synctest.Wait() },
		"":           m.check,
	}
}

func (m *trial) heal() {
	m.f.set(func() { m.f.hang, m.f.fail, m.f.refuse, m.f.slow = false, nil, nil, 0 })
	m.touch()
}

func (m *trial) check(t *rapid.T) {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	well := !m.f.hang && m.f.fail == nil && m.f.refuse == nil && m.f.slow == 0 && time.Since(m.since) >= mended
	if !well {
		return
	}
	for k, reg := range m.live {
		in := m.f.held[k.Fold()]
		switch {
		case in == nil:
			t.Fatalf("%v is not registered %v after everything was well again: %v", k, time.Since(m.since), reg.Err())
		case m.version[k] != unsure && in.Version != m.version[k]:
			t.Fatalf("%v is registered as version %q, want %q", k, in.Version, m.version[k])
		}
	}
	for k, in := range m.f.held {
		if m.ended[in.Owner] && time.Since(m.f.beat[in.Owner]) < trialTTL {
			t.Fatalf("%v is kept by an owner that has closed it", k)
		}
	}
}

// beating is a fake that remembers when each owner was heard last.
type beating struct {
	*fake
	beat map[string]time.Time // guarded by fake.mu
}

func (b *beating) Register(ctx context.Context, in *muster.Instance, ttl time.Duration) (muster.Lease, error) {
	lease, err := b.fake.Register(ctx, in, ttl)
	if err == nil {
		b.set(func() { b.beat[in.Owner] = time.Now() })
	}
	return lease, err
}

func (b *beating) Renew(ctx context.Context, ins []*muster.Instance) ([]muster.Lapse, error) {
	lapses, err := b.fake.Renew(ctx, ins)
	if err == nil {
		b.set(func() {
			for _, in := range ins {
				b.beat[in.Owner] = time.Now()
			}
		})
	}
	return lapses, err
}

// Whatever the back end does: a live registration is there again soon after it answers again, in its newest form; a closed one
// never comes back; nothing takes longer than its context and a second; no goroutine is left.
func TestRegistrationsOutliveWhateverTheRegistryDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			f := &beating{newFake(), make(map[string]time.Time)}
			f.lost = make(chan struct{})
			drain := rapid.SampledFrom([]time.Duration{-1, 2 * time.Second}).Draw(t, "drain")
			m := &trial{
				f: f, r: muster.New(f, &muster.Options{TTL: trialTTL, Drain: drain}), since: time.Now(),
				live: make(map[muster.Key]*muster.Registration), version: make(map[muster.Key]string), ended: make(map[string]bool),
			}
			defer m.r.Close(context.Background()) // the second time, unless a check failed
			actions := m.actions()
			actions["register more"], actions["update more"] = actions["register"], actions["update"]
			t.Repeat(actions)
			within(t, "closing the registry", 5*time.Second, func(ctx context.Context) { m.r.Close(ctx) })
			for _, reg := range m.live {
				<-reg.Done()
				m.ended[reg.Instance().Owner] = true
			}
			clear(m.live)
			m.heal()
			time.Sleep(mended)
			m.check(t)
		})
	})
}
