package eurekaserver

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// sheets holds the complete lists and deltas that somebody asked for lately, each in the form that was asked for. The zero value
// is empty.
type sheets struct {
	byKey sync.Map // of sheetKey to *sheet
	swept atomic.Int64
}

type sheetKey struct {
	namespace string // as the store writes it
	form      eurekawire.Form
	packed    bool
	delta     bool
}

// sheet is the latest version of one of them.
type sheet struct {
	asked    atomic.Int64 // Unix ns of the last asker
	current  atomic.Pointer[edition]
	building sync.Mutex // one builds at a time; the others wait for what it makes
}

// edition is a list at one moment, immutable.
type edition struct {
	seq    uint64
	made   time.Time
	blocks []*block // none for a delta
	doc    *document
}

// Sheets that nobody asked for are looked for and dropped after these times.
const (
	sweepEvery = 30 * time.Second
	idleAfter  = time.Minute
)

func (s *sheets) get(k sheetKey) *sheet {
	found, ok := s.byKey.Load(k)
	if !ok {
		found, _ = s.byKey.LoadOrStore(k, new(sheet))
	}
	sh := found.(*sheet)
	sh.asked.Store(time.Now().UnixNano())
	return sh
}

// sweep drops what nobody asked for, if it is time to look. Requests of any kind drive it.
func (s *sheets) sweep(now time.Time) {
	last := s.swept.Load()
	if now.UnixNano()-last < int64(sweepEvery) || !s.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.byKey.Range(func(k, v any) bool {
		if now.UnixNano()-v.(*sheet).asked.Load() > int64(idleAfter) {
			s.byKey.Delete(k)
		}
		return true
	})
}

// list returns the complete list of a view or of a newer one.
//
// It is made of blocks of about blockTarget instances. A block begins where the one before it ends, and it ends after an instance
// that its own ID chooses, so that one instance more or less changes one block only; the rest is taken from the edition before.
// A block holds the bytes of its instances, compressed or not. There are no fragments of single instances beside it: what most
// clients ask for, gzip, then costs 100 bytes for each instance where its fragment alone would cost 1 to 2 kB, and rendering the
// neighbours of one that changed takes less time than compressing them.
func (s *Server) list(v *store.View, f eurekawire.Form, packed bool) *document {
	if len(v.Services) == 0 {
		return s.join(f, packed, v, nil)
	}
	sh := s.lists.get(sheetKey{namespace: v.Namespace, form: f, packed: packed})
	if e := sh.current.Load(); e != nil && e.seq >= v.Seq {
		return e.doc
	}
	sh.building.Lock()
	defer sh.building.Unlock()
	old := sh.current.Load()
	if old != nil && old.seq >= v.Seq {
		return old.doc
	}
	next := &edition{seq: v.Seq}
	next.blocks = s.blocks(old, flatten(v), f, packed)
	next.doc = s.join(f, packed, v, next.blocks)
	sh.current.Store(next)
	return next.doc
}

// join makes the document of blocks: what precedes them, they, and what follows.
func (s *Server) join(f eurekawire.Form, packed bool, v *store.View, blocks []*block) *document {
	head := eurekawire.Head{Version: "1", HashCode: hash(v.Counts), Empty: len(v.Services) == 0}
	parts := make([]part, 0, len(blocks)+2)
	parts = append(parts, s.part(eurekawire.AppendApplicationsStart(nil, f, head), packed))
	for _, b := range blocks {
		parts = append(parts, b.part)
	}
	parts = append(parts, s.part(eurekawire.AppendApplicationsEnd(nil, f, head), packed))
	return assemble(f, packed, parts)
}

func (s *Server) part(b []byte, packed bool) part {
	if packed {
		return s.presses.press(b)
	}
	return plain(slices.Clone(b))
}

// item is a record with the service that it belongs to.
type item struct {
	record  *store.Record
	service *store.Service
}

// flatten returns a view's records in order.
func flatten(v *store.View) []item {
	n := 0
	for _, svc := range v.Services {
		n += len(svc.Records)
	}
	items := make([]item, 0, n)
	for _, svc := range v.Services {
		for _, rec := range svc.Records {
			items = append(items, item{rec, svc})
		}
	}
	return items
}

// block is the bytes of successive records of a list, with the starts and ends of applications that fall among them.
type block struct {
	part
	records []*store.Record
	leads   bool // it is the first of the list
	opens   bool // its first record is the first of an application
	closes  bool // its last record is the last of an application
	cut     bool // it ends by its last record's ID or its length, not with the list
}

// Lengths of a block in records.
const (
	blockTarget = 64 // a power of two
	blockMost   = 4 * blockTarget
)

// blocks returns the blocks of items; those that old has it does not make anew.
func (s *Server) blocks(old *edition, items []item, f eurekawire.Form, packed bool) []*block {
	known := map[*store.Record]*block{}
	if old != nil {
		for _, b := range old.blocks {
			known[b.records[0]] = b
		}
	}
	var out []*block
	for at := 0; at < len(items); {
		b := known[items[at].record]
		if b == nil || !b.stands(items, at) {
			b = cut(items, at)
			s.fill(b, items[at:at+len(b.records)], f, packed)
		}
		out = append(out, b)
		at += len(b.records)
	}
	return out
}

// stands reports whether the block is what belongs at a place of items.
func (b *block) stands(items []item, at int) bool {
	end := at + len(b.records)
	if end > len(items) || !b.cut && end < len(items) {
		return false
	}
	for i, rec := range b.records {
		if items[at+i].record != rec {
			return false
		}
	}
	return b.leads == (at == 0) && b.opens == opens(items, at) && b.closes == opens(items, end)
}

// opens reports whether an application begins at a place of items; one does at the end.
func opens(items []item, at int) bool {
	return at == 0 || at == len(items) || items[at-1].service != items[at].service
}

// cut returns the block that begins at a place of items, without its bytes.
func cut(items []item, at int) *block {
	b := &block{leads: at == 0, opens: opens(items, at)}
	end := at
	for end < len(items) && !b.cut {
		end++
		b.cut = end-at == blockMost || ends(items[end-1].record.Instance.ID)
	}
	b.closes = opens(items, end)
	b.records = make([]*store.Record, end-at)
	for i := range b.records {
		b.records[i] = items[at+i].record
	}
	return b
}

// ends reports whether a block ends after the instance of that ID: one of blockTarget, by FNV-1a.
func ends(id string) bool {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return (h^h>>16)%blockTarget == 0
}

// fill gives a block its bytes.
func (s *Server) fill(b *block, items []item, f eurekawire.Form, packed bool) {
	buf := s.scratch()
	defer s.free(buf)
	var e echo
	out := (*buf)[:0]
	for i, it := range items {
		first := i == 0 && b.opens || i > 0 && items[i-1].service != it.service
		last := i == len(items)-1 && b.closes || i < len(items)-1 && items[i+1].service != it.service
		if i > 0 || !b.leads {
			out = append(out, f.Separator()...)
		}
		if first {
			out = eurekawire.AppendApplicationStart(out, f, strings.ToUpper(it.service.Name))
		}
		s.show(it.record, &e)
		out = eurekawire.AppendInstance(out, f, &e.Instance)
		if last {
			out = eurekawire.AppendApplicationEnd(out, f)
		}
	}
	*buf = out
	b.part = s.part(out, packed)
}
