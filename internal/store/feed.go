package store

import (
	"math"
	"sort"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
)

// Change is the latest state of one key that changed.
type Change struct {
	Key     muster.Key // as the instance writes it
	Record  *Record    // nil: removed
	Removed *Record    // the last one, when removed
	Added   bool       // the key was not there at the point asked from
	Expired bool       // removed because it was not renewed
	Seq     uint64     // number of the latest change to the key
	At      time.Time  // when that was, on the store's clock
}

// Changes returns what happened in a namespace after since, oldest first, the latest state of each key once, and the number
// of the newest change. since 0 is the empty list, from before the namespace came to be. ok is false when the feed does not reach
// back that far, or was another store's, or the namespace was given back since then: list again.
func (s *Store) Changes(namespace string, epoch, since uint64) (changes []Change, seq uint64, ok bool) {
	sp := s.space(namespace)
	if sp == nil {
		return nil, 0, epoch == s.epoch && since == 0
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	seq = sp.seq.Load()
	if since == 0 {
		since = sp.birth
	}
	if epoch != s.epoch || since > seq || since < sp.feed.floor {
		return nil, seq, false
	}
	return sp.feed.after(since, s.base, math.MaxInt), seq, true
}

// changesUpTo is Changes, but of the oldest most changes alone: who has missed a million of them must not keep writers out while they are
// listed.
func (sp *space) changesUpTo(most int, since uint64) (changes []Change, seq uint64, ok bool) {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if since < sp.feed.floor {
		return nil, 0, false
	}
	seq = sp.seq.Load()
	if changes = sp.feed.after(since, sp.store.base, most); len(changes) == most {
		seq = changes[most-1].Seq
	}
	return changes, seq, true
}

// Birth returns what the numbers of a namespace's changes are above, however often the namespace went and came. known is false
// while there is no such namespace.
func (s *Store) Birth(namespace string) (seq uint64, known bool) {
	if sp := s.space(namespace); sp != nil {
		return sp.birth, true
	}
	return 0, false
}

// ChangesSince returns what happened in a namespace at t or later, as far back as the feed reaches.
func (s *Store) ChangesSince(namespace string, t time.Time) (changes []Change, seq uint64) {
	sp := s.space(namespace)
	if sp == nil {
		return nil, 0
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.feed.after(sp.feed.before(int64(t.Sub(s.base))), s.base, math.MaxInt), sp.seq.Load()
}

// feed is what changed in a namespace, oldest first: one entry per key, the latest. A later change to a key clears the entry
// before it; chunks without entries are let go at once, the rest when they are old enough.
type feed struct {
	retention int64
	floor     uint64 // everything after this Seq is known
	newest    uint64
	chunks    []*chunk
	gone      map[place]uint64 // Seq of the entries about removed keys
	held      int64            // what the removed records take that it keeps, by weight
	departed  *departed
}

// departed is what removed records take over all feeds. Nobody is charged for them any more, so without a bound whoever registers and
// deregisters in a loop would fill the memory for as long as changes are kept.
type departed struct {
	bytes atomic.Int64
	most  int64 // 0 is no bound
}

// weight is about what a removed record takes.
func weight(r *Record) int64 { return int64(r.size) + 1<<10 }

// keepChanges is how many of the newest changes stay, however old.
const keepChanges = 4096

// chunkSize is the number of changes that are let go together.
const chunkSize = 256

type chunk struct {
	live    int // entries not cleared
	n       int
	entries [chunkSize]entry
}

type entry struct {
	record *Record // nil: cleared
	seq    uint64
	at     int64
	what   what
}

type what uint8

const (
	put what = iota
	removed
	expired
)

// place is a key within its namespace, folded.
type place struct{ service, id string }

func (f *feed) init(retention time.Duration, birth uint64, all *departed) {
	f.retention = int64(retention)
	f.floor, f.newest = birth, birth
	f.departed = all
	f.gone = map[place]uint64{}
}

func (f *feed) put(r *Record, now int64) { f.append(entry{record: r, seq: r.Seq, at: now, what: put}) }

func (f *feed) remove(r *Record, service string, seq uint64, now int64, byTime bool) {
	e := entry{record: r, seq: seq, at: now, what: removed}
	if byTime {
		e.what = expired
	}
	if most := f.departed.most; most > 0 && f.departed.bytes.Load()+weight(r) > most {
		f.shed()
	}
	f.append(e)
	f.hold(weight(r))
	f.gone[place{service, r.Instance.ID}] = seq
}

// supersede clears the entry about a key that is about to change: the one of old, or of its removal when old is nil.
func (f *feed) supersede(old *Record, service, id string) {
	if old != nil {
		f.clear(old.Seq)
		return
	}
	k := place{service, id}
	if seq, ok := f.gone[k]; ok {
		delete(f.gone, k)
		f.clear(seq)
	}
}

func (f *feed) clear(seq uint64) {
	i := f.chunkAfter(seq - 1)
	if i == len(f.chunks) {
		return
	}
	c := f.chunks[i]
	j := c.after(seq - 1)
	if j == c.n || c.entries[j].seq != seq || c.entries[j].record == nil {
		return
	}
	if e := &c.entries[j]; e.what != put {
		f.hold(-weight(e.record))
	}
	c.entries[j].record = nil
	if c.live--; c.live == 0 && c.n == chunkSize {
		f.chunks = append(f.chunks[:i], f.chunks[i+1:]...)
	}
}

func (f *feed) append(e entry) {
	n := len(f.chunks)
	if n == 0 || f.chunks[n-1].n == chunkSize {
		f.trim(e.at)
		f.chunks = append(f.chunks, new(chunk))
		n = len(f.chunks)
	}
	c := f.chunks[n-1]
	c.entries[c.n] = e
	c.n++
	c.live++
	f.newest = e.seq
}

// trim lets go of chunks at the old end.
func (f *feed) trim(now int64) {
	drop := 0
	for _, c := range f.chunks {
		last := c.entries[c.n-1]
		if last.at > now-f.retention || f.newest-last.seq < keepChanges {
			break
		}
		for _, e := range c.entries[:c.n] {
			if e.record == nil || e.what == put {
				continue
			}
			f.hold(-weight(e.record))
			in := e.record.Instance
			delete(f.gone, place{e.record.lease.service.fold, in.ID})
		}
		f.floor = last.seq
		drop++
	}
	if drop > 0 {
		f.chunks = append(f.chunks[:0:0], f.chunks[drop:]...)
	}
}

// shed forgets every change up to now: who asks for them has to list again.
func (f *feed) shed() {
	f.hold(-f.held)
	f.floor = max(f.floor, f.newest)
	f.chunks = nil
	clear(f.gone)
}

func (f *feed) hold(bytes int64) {
	f.held += bytes
	f.departed.bytes.Add(bytes)
}

// before returns the Seq of the newest change earlier than the instant t, at least floor.
func (f *feed) before(t int64) uint64 {
	seq := f.floor
	i := sort.Search(len(f.chunks), func(i int) bool { c := f.chunks[i]; return c.entries[c.n-1].at >= t })
	if i > 0 {
		c := f.chunks[i-1]
		seq = c.entries[c.n-1].seq
	}
	if i < len(f.chunks) {
		for _, e := range f.chunks[i].entries[:f.chunks[i].n] {
			if e.at >= t {
				break
			}
			seq = e.seq
		}
	}
	return max(seq, f.floor)
}

// after returns the changes after since, the oldest most of them.
func (f *feed) after(since uint64, base time.Time, most int) []Change {
	chunks := f.chunks[f.chunkAfter(since):]
	if len(chunks) == 0 {
		return nil
	}
	n, from := 0, chunks[0].after(since)
	for _, c := range chunks[1:] {
		n += c.live
	}
	for i := from; i < chunks[0].n; i++ {
		if chunks[0].entries[i].record != nil {
			n++
		}
	}
	out := make([]Change, 0, min(n, most))
	for _, c := range chunks {
		news := c.entries[from:c.n]
		from = 0
		for _, e := range news {
			if e.record == nil {
				continue
			}
			ch := Change{Key: e.record.Instance.Key(), Seq: e.seq, At: base.Add(time.Duration(e.at))}
			if e.what == put {
				ch.Record = e.record
				ch.Added = e.record.lease.added > since
			} else {
				ch.Removed = e.record
				ch.Expired = e.what == expired
			}
			if out = append(out, ch); len(out) == most {
				return out
			}
		}
	}
	return out
}

// chunkAfter returns the index of the first chunk with a Seq after since.
func (f *feed) chunkAfter(since uint64) int {
	return sort.Search(len(f.chunks), func(i int) bool { c := f.chunks[i]; return c.entries[c.n-1].seq > since })
}

// after returns the index of the first entry with a Seq after since.
func (c *chunk) after(since uint64) int {
	return sort.Search(c.n, func(j int) bool { return c.entries[j].seq > since })
}
