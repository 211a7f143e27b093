package balance

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/muster-go/muster/internal/guard"
)

// Outcome is how an attempt ended, as far as its target is to be judged by it.
type Outcome uint8

const (
	Success  Outcome = iota // the target did what it was asked
	Failure                 // the target, or the way to it, is to blame
	Excluded                // says nothing about the target: canceled by the caller, refused before it was sent
)

// Result is how an attempt ended.
type Result struct {
	Outcome   Outcome
	Unreached bool  // it reached nobody: the connection could not be made
	Busy      bool  // the target refused it for want of room (429, 503)
	Overtaken bool  // Excluded, but it has taken long enough for another attempt to be quicker
	After     int64 // ns for which the target asked to be left alone; 0 if it did not
}

// Load is what a target says of itself.
type Load struct {
	InFlight int   // requests inside, waiting ones included
	Latency  int64 // ns: median of the requests that came while about as many were inside; 0: not known
	Draining bool  // it is about to stop
}

// Target is what one client knows of one (instance, scheme). It outlives snapshots and pools: whoever rebuilds a pool
// hands in the same Target again, so nothing learnt is lost. The zero value is ready to use, and has no identity: see
// NewTarget. A target belongs to one line of pools, each of which replaces the one before.
//
// All methods are safe for concurrent use, take no lock and allocate nothing.
type Target struct {
	begun     atomic.Int64
	successes atomic.Int64
	failures  atomic.Int64
	excluded  atomic.Int64
	lastUsed  atomic.Int64
	latency   atomic.Uint64 // a packed average, see average: what is shown
	peak      atomic.Uint64 // a packed average that rises at once and falls slowly: what is chosen by, see cost.go
	health    atomic.Uint64 // a packed average of 1 for a failure, 0 for a success; 0: none failed, see cost.go
	shunned   atomic.Int64  // until then it asked to be left alone, or had no room
	fresh     atomic.Int64  // its phase, and when that began: see slowstart.go
	draining  atomic.Bool   // it said that it is about to stop
	listed    atomic.Uint32 // number of the newest pool that has it as a member
	hash      uint64        // of its ID
	outlier   guard.Outlier

	// 256 bytes in all, which is also an allocation size class: two targets never share a cache line, nor a pair of
	// lines that the processor fetches together.
	_ [256 - 12*8 - unsafe.Sizeof(guard.Outlier{})]byte
}

// NewTarget returns a target for the instance of that ID, which rendezvous and Maglev hashing go by.
func NewTarget(id string) *Target { return &Target{hash: hashOf(id)} }

// hashOf is FNV-1a with a finalizer that spreads short, similar names. It must be the same in every process: callers that
// share a key must agree on its target.
// Sources: Fowler, Noll, Vo; the finalizer of MurmurHash3 (A. Appleby).
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Stats is a reading of a Target. Each field is exact; they are read one after the other while calls go on, so they may
// disagree by the calls that began or ended meanwhile.
type Stats struct {
	InFlight  int64 // begun and not yet ended
	Successes int64
	Failures  int64
	Excluded  int64
	Latency   time.Duration // moving average as of the last sample; 0 before the first
	LastUsed  int64         // the now of the last Begin
}

// Begin counts an attempt as in flight. Each Begin is followed by exactly one End.
func (t *Target) Begin(now int64) {
	t.begun.Add(1)
	t.lastUsed.Store(now)
}

// inFlight is how many attempts have begun and not ended: what has ended is read first, so that it is never less than none. It
// is too many by those that pass in between.
func (t *Target) inFlight() int64 {
	ended := t.successes.Load() + t.failures.Load() + t.excluded.Load()
	return t.begun.Load() - ended
}

// steady is inFlight read until nothing ended in between, or a few times.
func (t *Target) steady() (n int64) {
	for range 8 {
		ended := t.successes.Load() + t.failures.Load() + t.excluded.Load()
		n = t.begun.Load() - ended
		if t.successes.Load()+t.failures.Load()+t.excluded.Load() == ended {
			break
		}
	}
	return n
}

// Hold keeps the target as busy as an attempt does, for what an attempt leaves behind, such as a connection. Each Hold is
// followed by exactly one Release.
func (t *Target) Hold() { t.begun.Add(1) }

// Release ends a Hold.
func (t *Target) Release() { t.begun.Add(-1) }

// End counts an attempt that began took nanoseconds ago as ended. It reports whether pools that hold the target should be
// built anew: it has become an outlier.
//
// Latency takes in every success, and a failure only when it was slower than the average: a target that refuses at once
// must not look like a fast one, and one that times out must not keep its good name. Excluded attempts leave it alone.
func (t *Target) End(now, took int64, res Result) (stale bool) {
	took = max(took, 1)
	switch res.Outcome {
	case Success:
		t.successes.Add(1)
		t.outlier.Success(now)
		t.learn(now, took, res)
	case Failure:
		failures := t.failures.Add(1)
		if !res.Busy { // one that has no room is not broken; it is shunned for a while instead
			stale = t.outlier.Failure(now, res.Unreached, t.successes.Load(), failures)
		}
		t.learn(now, took, res)
	default:
		t.excluded.Add(1)
		if res.Overtaken {
			t.outlast(now, took)
		}
	}
	return stale
}

// Miss counts a question that reached nobody. It reports whether pools that hold the target should be built anew, as End
// does: nobody calls a target that does not answer, so its calls could not show that it is gone.
func (t *Target) Miss(now int64) (stale bool) {
	return t.outlier.Failure(now, true, t.successes.Load(), t.failures.Load())
}

// Tell takes in what the target says of itself. It reports whether pools that hold it should be built anew: it began or
// ended draining.
func (t *Target) Tell(l Load) (stale bool) { return t.draining.Swap(l.Draining) != l.Draining }

// Stats reads the counters.
func (t *Target) Stats() Stats {
	return Stats{
		InFlight:  t.steady(),
		Successes: t.successes.Load(),
		Failures:  t.failures.Load(),
		Excluded:  t.excluded.Load(),
		Latency:   time.Duration(average(t.latency.Load()).value()),
		LastUsed:  t.lastUsed.Load(),
	}
}
