package api

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// feeds keeps, for each namespace, the newest step of its feed as events: a change is put into bytes once and the bytes are
// handed to every watcher.
type feeds struct {
	store *store.Store
	mu    sync.RWMutex // guards feeds
	feeds map[string]*feed
}

type feed struct {
	newest atomic.Pointer[step] // never nil
	mu     sync.Mutex           // held while a step is made, so that of many watchers woken together one makes it
}

// step is what happened in a namespace between two positions, as events. It is immutable.
type step struct {
	from, to nativewire.Position
	events   []byte // all of it, the sync at the end included
	changes  []part
	sync     int // where the sync begins in events

	writers atomic.Int64 // streams that write it now
}

// part is one change in a step's events.
type part struct {
	service    string // folded
	start, end int
}

func (f *feeds) init(s *store.Store) {
	f.store = s
	f.feeds = map[string]*feed{}
}

// after returns the step from a position to the present. ok is false when the store does not know that position any more.
func (f *feeds) after(namespace string, from nativewire.Position) (*step, bool) {
	feed := f.of(namespace)
	if feed == nil {
		s, ok := f.make(namespace, from)
		if ok && s.to != from { // so the namespace is one of the store's
			f.add(namespace, s)
		}
		return s, ok
	}
	if s := feed.newest.Load(); s.from == from && f.holds(namespace, s) {
		return s, true
	}
	feed.mu.Lock()
	defer feed.mu.Unlock()
	newest := feed.newest.Load()
	if newest.from == from && f.holds(namespace, newest) {
		return newest, true
	}
	s, ok := f.make(namespace, from)
	if ok && s.to != from && s.to.Seq > newest.to.Seq { // a step to where it began would hide those to come
		feed.newest.Store(s)
	}
	return s, ok
}

// holds reports whether the step is what leads on from where it begins: position 0, the empty list, is that of every life of a
// namespace, unlike any other.
func (f *feeds) holds(namespace string, s *step) bool {
	if s.from.Seq != 0 {
		return true
	}
	birth, known := f.store.Birth(namespace)
	return known && s.to.Seq > birth
}

func (f *feeds) make(namespace string, from nativewire.Position) (*step, bool) {
	changes, seq, ok := f.store.Changes(namespace, from.Epoch, from.Seq)
	if !ok {
		return nil, false
	}
	return newStep(from, nativewire.Position{Epoch: from.Epoch, Seq: seq}, changes), true
}

// of returns the namespace's feed, or nil when nothing was seen to change there yet.
func (f *feeds) of(namespace string) *feed {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.feeds[muster.Fold(namespace)]
}

// add begins a namespace's feed with its first step.
func (f *feeds) add(namespace string, first *step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name := muster.Fold(namespace); f.feeds[name] == nil {
		if len(f.feeds) > store.MaxNamespaces {
			clear(f.feeds) // those of namespaces that are gone are among them; the others are made again
		}
		one := new(feed)
		one.newest.Store(first)
		f.feeds[name] = one
	}
}

func newStep(from, to nativewire.Position, changes []store.Change) *step {
	s := &step{from: from, to: to}
	for _, c := range changes {
		p := part{service: muster.Fold(c.Key.Service), start: len(s.events)}
		if c.Record != nil {
			s.events = nativewire.AppendEvent(s.events, nativewire.Put, "", fragment(c.Record))
		} else {
			text, err := json.Marshal(nativewire.Deleted{Service: c.Key.Service, ID: c.Key.ID})
			if err != nil {
				panic("a key cannot be written: " + err.Error()) // two strings always can
			}
			s.events = nativewire.AppendEvent(s.events, nativewire.Delete, "", text)
		}
		p.end = len(s.events)
		s.changes = append(s.changes, p)
	}
	s.sync = len(s.events)
	s.events = nativewire.AppendEvent(s.events, nativewire.Sync, to.String(), []byte("{}"))
	return s
}
