package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func paid(k muster.Key, payer string, bytes int) *store.Record {
	r := record(k, 10*time.Minute)
	r.Payer = payer
	r.Wire = make([]byte, bytes)
	return r
}

func tryRegister(s *store.Store, r *store.Record) error {
	_, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil })
	return err
}

func TestAQuotaRefusesWhatWouldGrowBeyondIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{Quota: store.Quota{Instances: 2, Bytes: 1000, Total: 2000}})
		defer s.Close()
		for i := range 2 {
			register(t, s, paid(key("orders", fmt.Sprint(i)), "ann", 300))
		}
		refused := func(what string, r *store.Record, own bool, text string) {
			t.Helper()
			err := tryRegister(s, r)
			wantCode(t, what, err, muster.Exhausted)
			e, ok := errors.AsType[*muster.Error](err)
			if !ok || e.After <= 0 || errors.Is(err, store.ErrQuota) != own || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("a third instance", paid(key("orders", "3"), "ann", 0), true, "ann has 2 instances registered, at most 2")
		fixed := static(key("orders", "3"))
		fixed.Payer = "ann"
		refused("a static one", fixed, true, "at most 2")
		refused("more bytes", paid(key("orders", "1"), "ann", 800), true, "at most 1000")
		register(t, s, paid(key("orders", "1"), "ann", 500))
		register(t, s, paid(key("orders", "1"), "ann", 400))
		register(t, s, paid(key("orders", "4"), "bob", 900))
		refused("more than all may have", paid(key("orders", "5"), "", 900), false, "at most 2000")
		refused("taking over what is too much", paid(key("orders", "4"), "ann", 100), true, "at most 2")
		if n, bytes := s.Usage("ann"); n != 2 || bytes < 700 || bytes > 800 {
			t.Errorf("ann has %d instances with %d bytes", n, bytes)
		}
		deregister(t, s, key("orders", "1"))
		register(t, s, paid(key("orders", "4"), "ann", 100))
		if n, bytes := s.Usage("bob"); n != 0 || bytes != 0 {
			t.Errorf("bob, whose instance ann took over, has %d instances with %d bytes", n, bytes)
		}
	})
}

func TestAQuotaKeepsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		for i := range 5 {
			register(t, s, paid(key("orders", fmt.Sprint(i)), "ann", 300))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = life(t, j, store.Options{Quota: store.Quota{Instances: 2, Bytes: 100, Total: 100}})
		defer s.Close()
		if n, bytes := s.Usage("ann"); n != 5 || bytes < 1500 || s.Bytes() != bytes {
			t.Errorf("after a restart ann has %d instances with %d bytes, all have %d", n, bytes, s.Bytes())
		}
		if err := tryRegister(s, paid(key("orders", "1"), "ann", 300)); err != nil {
			t.Errorf("registering what is there again: %v", err)
		}
		wantCode(t, "one more", tryRegister(s, paid(key("orders", "9"), "ann", 0)), muster.Exhausted)
	})
}

// Whatever happens, what a payer is charged is what a count of the lists says.
func TestUsageEqualsARecount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // a T asks for its deadline, which a bubble forbids
			j := newKept()
			opt := store.Options{
				Journal: j, Preserve: store.Preservation{Off: true},
				Quota: store.Quota{Instances: 4, Bytes: 400, Total: 900},
			}
			start := func() *store.Store {
				s, err := store.Open(opt)
				if err != nil {
					t.Fatal(err)
				}
				<-s.Loaded()
				return s
			}
			s := start()
			defer func() { s.Close() }()
			full := &muster.Error{Code: muster.Exhausted, Err: errors.New("disk full")}
			keyOf := func(t *rapid.T) muster.Key {
				return muster.Key{
					Namespace: rapid.SampledFrom([]string{"a", "A", "b"}).Draw(t, "namespace"),
					Service:   rapid.SampledFrom([]string{"orders", "Stock"}).Draw(t, "service"),
					ID:        rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id"),
				}
			}
			t.Repeat(map[string]func(*rapid.T){
				"register": func(t *rapid.T) {
					r := owned(keyOf(t), rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "ttl"), rapid.SampledFrom([]string{"p", "q"}).Draw(t, "owner"))
					r.Payer = rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "payer")
					r.Wire = make([]byte, rapid.IntRange(0, 300).Draw(t, "wire"))
					if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
						r.Static, r.TTL = true, 0
					}
					if err := tryRegister(s, r); err != nil && !errors.Is(err, muster.Exhausted) {
						t.Fatal(err)
					}
				},
				"change": func(t *rapid.T) {
					payer, wire := rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "payer"), rapid.IntRange(0, 300).Draw(t, "wire")
					_, err := s.Update(keyOf(t), func(old *store.Record) (*store.Record, error) {
						if old == nil {
							return nil, nil
						}
						next := old.Next(nil)
						next.Payer, next.Wire = payer, make([]byte, wire)
						return next, nil
					})
					if err != nil && !errors.Is(err, muster.Exhausted) {
						t.Fatal(err)
					}
				},
				"judge": func(t *rapid.T) {
					err := s.Judge(keyOf(t), store.Verdict{Down: rapid.Bool().Draw(t, "down"), Because: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "because")})
					if err != nil && !errors.Is(err, muster.NotFound) {
						t.Fatal(err)
					}
				},
				"intent": func(t *rapid.T) {
					k := keyOf(t)
					it := muster.Intent{Weight: new(rapid.IntRange(0, 9).Draw(t, "weight"))}
					if old := s.Intent(k); old != nil {
						it.Rev = old.Rev
					}
					if _, err := s.SetIntent(k, it, store.Author{}); err != nil && !errors.Is(err, muster.Exhausted) {
						t.Fatal(err)
					}
				},
				"deregister": func(t *rapid.T) {
					_, err := s.Update(keyOf(t), func(*store.Record) (*store.Record, error) { return nil, nil })
					if err != nil && !errors.Is(err, muster.Exhausted) {
						t.Fatal(err)
					}
				},
				"the disk fills":   func(*rapid.T) { j.on(&j.onSync, func() error { return full }) },
				"the disk is free": func(*rapid.T) { j.on(&j.onSync, func() error { return nil }) },
				"time":             func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond) },
				"restart": func(t *rapid.T) {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = start()
				},
				"": func(t *rapid.T) { recount(t, s) },
			})
		})
	})
}

// recount compares what the store charges with what its lists say.
func recount(t *rapid.T, s *store.Store) {
	instances, bytes, total := map[string]int{}, map[string]int64{}, int64(0)
	for _, ns := range s.Namespaces() {
		for _, svc := range s.View(ns).Services {
			for _, r := range svc.Records {
				in := r.Reported()
				n := len(in.ID) + len(r.Wire)
				for _, e := range in.Endpoints {
					n += len(e.Scheme) + len(e.Address)
				}
				for k, v := range in.Metadata {
					n += len(k) + len(v)
				}
				if r.Size() != n {
					t.Fatalf("%v has size %d, a count says %d", in.Key(), r.Size(), n)
				}
				instances[r.Payer]++
				bytes[r.Payer] += int64(n)
				total += int64(n)
			}
		}
	}
	for _, payer := range []string{"ann", "bob"} {
		if n, b := s.Usage(payer); n != instances[payer] || b != bytes[payer] {
			t.Fatalf("%s is charged %d instances and %d bytes, a count says %d and %d", payer, n, b, instances[payer], bytes[payer])
		}
	}
	if n, b := s.Usage(""); n != 0 || b != 0 {
		t.Fatalf("nobody is charged %d instances and %d bytes", n, b)
	}
	if s.Bytes() != total {
		t.Fatalf("the store says %d bytes, a count says %d", s.Bytes(), total)
	}
}
