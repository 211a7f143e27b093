package access

import (
	"sync"
	"time"
)

// wrongs counts wrong credentials by address: a bucket that every one fills and that leaks. The zero value is ready to use.
type wrongs struct {
	mu    sync.Mutex // guards what follows
	by    map[string]*bucket
	swept time.Time // when the empty ones were last let go
}

type bucket struct {
	level float64
	at    time.Time // when level was true
	full  bool      // it was, and has not been empty since
}

const (
	wrongMost  = 20              // in a row, then one more
	wrongEvery = 3 * time.Second // after this long
	maxBuckets = 8192            // addresses that are told apart; all others share one
)

// add counts one from an address. over says that there are too many, first that there were not until now.
func (w *wrongs) add(from string, now time.Time) (over, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.bucket(from, now)
	level := b.leaked(now)
	b.full = b.full && level > 0
	over = level+1 > wrongMost
	first = over && !b.full
	b.full = b.full || over
	if !over {
		level++
	}
	b.level, b.at = level, now
	return over, first
}

func (w *wrongs) bucket(from string, now time.Time) *bucket {
	if b := w.by[from]; b != nil {
		return b
	}
	if len(w.by) >= maxBuckets && now.Sub(w.swept) >= time.Second { // looking at all of them for each would be what somebody wants
		w.swept = now
		for k, b := range w.by {
			if b.leaked(now) == 0 {
				delete(w.by, k)
			}
		}
	}
	if len(w.by) >= maxBuckets {
		from = ""
		if b := w.by[from]; b != nil {
			return b
		}
	}
	if w.by == nil {
		w.by = map[string]*bucket{}
	}
	b := &bucket{at: now}
	w.by[from] = b
	return b
}

func (b *bucket) leaked(now time.Time) float64 {
	return max(b.level-now.Sub(b.at).Seconds()/wrongEvery.Seconds(), 0)
}
