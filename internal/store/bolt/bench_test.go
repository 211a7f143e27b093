package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// BenchmarkSync is an operator's act: two pages and a sync of the disk.
func BenchmarkSync(b *testing.B) {
	j := open(b, b.TempDir(), nil)
	id := uint64(0)
	for b.Loop() {
		id++
		it := &muster.Intent{Enabled: new(false), Rev: id}
		if err := j.Sync([]store.Act{{Intent: true, Audit: muster.AuditRecord{ID: id, Op: "disable", Key: full(int(id) % 100).Instance.Key(), After: it}}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is a batch of the write behind.
func BenchmarkWrite(b *testing.B) {
	j := open(b, b.TempDir(), nil)
	const batch = 4096
	n := 0
	for b.Loop() {
		if err := j.Write(store.Batch{Namespace: "Prod", Put: numbered(n, batch)}); err != nil {
			b.Fatal(err)
		}
		n = (n + batch) % 100_000
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/record")
}

// BenchmarkOpenAndLoad is a restart with 100,000 instances, from the file to a store that serves.
func BenchmarkOpenAndLoad(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	j := open(b, dir, nil)
	for from := 0; from < n; from += 5000 {
		if err := j.Write(store.Batch{Namespace: "Prod", Put: numbered(from, 5000)}); err != nil {
			b.Fatal(err)
		}
	}
	j.Close()
	for b.Loop() {
		j, err := bolt.Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		s, err := store.Open(store.Options{Journal: j})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.AwaitLoad(b.Context()); err != nil {
			b.Fatal(err)
		}
		if got := s.State().Instances; got != n {
			b.Fatalf("%d instances", got)
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record")
	if info, err := os.Stat(filepath.Join(dir, bolt.File)); err == nil {
		b.ReportMetric(float64(info.Size())/n, "B/record")
	}
}

func numbered(from, n int) []*store.Record {
	out := make([]*store.Record, n)
	for i := range n {
		out[i] = full(from + i)
		out[i].Instance.ID = fmt.Sprintf("i/%07d", from+i)
		out[i].Instance.Service = fmt.Sprintf("Orders-%d", (from+i)%1000)
	}
	return out
}
