package store_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// fill registers n instances, 100 to a service, each with what a decoder makes for it alone: nothing is shared.
func fill(tb testing.TB, s *store.Store, n int) (keys []muster.Key, handles []uint64) {
	tb.Helper()
	keys, handles = make([]muster.Key, n), make([]uint64, n)
	for i := range n {
		r := fresh(i, i/100)
		keys[i] = muster.Key{Namespace: "default", Service: fmt.Sprintf("SERVICE-%d", i/100), ID: r.Instance.ID}
		rec, err := s.Update(keys[i], func(*store.Record) (*store.Record, error) { return r, nil })
		if err != nil {
			tb.Fatal(err)
		}
		handles[i] = rec.Handle
	}
	return keys, handles
}

func fresh(i, service int) *store.Record {
	host := fmt.Sprintf("10.%d.%d.%d:8080", i>>16&255, i>>8&255, i&255)
	return &store.Record{
		Instance: &muster.Instance{
			Namespace: fmt.Sprint("def", "ault"), Service: fmt.Sprintf("SERVICE-%d", service), ID: fmt.Sprint("SERVICE:", host),
			Endpoints: []muster.Endpoint{{Scheme: fmt.Sprint("ht", "tp"), Address: host}},
			Status:    muster.Up, Zone: fmt.Sprint("eu-west-", "1a"), Version: fmt.Sprint("2.4", ".1"),
			Metadata: map[string]string{fmt.Sprint("te", "am"): fmt.Sprint("check", "out"), fmt.Sprint("bu", "ild"): "7"},
			Owner:    fmt.Sprintf("%026d", i),
		},
		TTL: 90 * time.Second, Interval: 30 * time.Second,
	}
}

func opened(tb testing.TB, opt store.Options) *store.Store {
	tb.Helper()
	s, err := store.Open(opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func BenchmarkRenew(b *testing.B) {
	s := opened(b, store.Options{})
	keys, _ := fill(b, s, 10_000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Renew(keys[i%len(keys)], ""); err != nil {
			b.Fatal(err)
		}
		i += 7919
	}
}

func BenchmarkRenewHandle(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := opened(b, store.Options{})
			_, handles := fill(b, s, n)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if code := s.RenewHandle(handles[i%n]); code != "" {
					b.Fatal(code)
				}
				i += 7919
			}
		})
	}
}

func BenchmarkRenewHandleParallel(b *testing.B) {
	s := opened(b, store.Options{})
	_, handles := fill(b, s, 10_000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i += 7919 {
			s.RenewHandle(handles[i%len(handles)])
		}
	})
}

func BenchmarkRegister(b *testing.B) {
	s := opened(b, store.Options{})
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		r := fresh(i%1_000_000, i%1_000_000/100)
		if _, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil }); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkViewAfterAChange is one write and the view after it; spread: 100 instances to a service; one: all in one service.
func BenchmarkViewAfterAChange(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, services := range []int{n / 100, 1} {
			b.Run(fmt.Sprintf("%d/services=%d", n, services), func(b *testing.B) {
				s := opened(b, store.Options{})
				for i := range n {
					r := fresh(i, i%services)
					if _, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil }); err != nil {
						b.Fatal(err)
					}
				}
				s.View("default")
				key := fresh(n/2, n/2%services).Instance.Key()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Update(key, func(old *store.Record) (*store.Record, error) { return old.Next(nil), nil }); err != nil {
						b.Fatal(err)
					}
					if len(s.View("default").Services) != services {
						b.Fatal("not the view")
					}
				}
			})
		}
	}
}

func BenchmarkChanges(b *testing.B) {
	s := opened(b, store.Options{})
	keys, _ := fill(b, s, 100_000)
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for i := range n {
				if _, err := s.Update(keys[i*17], func(old *store.Record) (*store.Record, error) { return old.Next(nil), nil }); err != nil {
					b.Fatal(err)
				}
			}
			seq := s.View("default").Seq
			b.ReportAllocs()
			for b.Loop() {
				changes, _, ok := s.Changes("default", s.Epoch(), seq-uint64(n))
				if !ok || len(changes) != n {
					b.Fatalf("%d changes, %v", len(changes), ok)
				}
			}
		})
	}
}

// BenchmarkMemory reports what an instance costs, all in: record, instance, lease, maps, handle, feed and view. Alike: the
// two labels are the same throughout a service; apart: one of them is another for each instance.
func BenchmarkMemory(b *testing.B) {
	for _, c := range []struct {
		name  string
		n     int
		apart bool
	}{{"100000/alike", 100_000, false}, {"100000/apart", 100_000, true}, {"1000000/alike", 1_000_000, false}, {"1000000/apart", 1_000_000, true}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s, err := store.Open(store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				before := heap()
				for i := range c.n {
					r := fresh(i, i/100)
					if c.apart {
						r.Instance.Metadata["build"] = fmt.Sprint(i)
					}
					register(b, s, r)
				}
				s.View("default")
				b.ReportMetric(float64(heap()-before)/float64(c.n), "B/instance")
				s.Close()
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
