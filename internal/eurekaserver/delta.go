package eurekaserver

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// An entry stays in the delta for window at least and window+grain at most.
// Source: Netflix eureka, retentionTimeInMSInDeltaQueue and deltaRetentionTimerIntervalInMs.
const (
	window = 3 * time.Minute
	grain  = 30 * time.Second
)

// changes returns the delta of a namespace: every instance that changed in the window, once, with its latest action.
//
// versions__delta is the number of the newest change, so it grows with each; apps__hashcode is the complete list's at that change.
func (s *Server) changes(namespace string, f eurekawire.Form, packed bool) *document {
	v := s.store.View(namespace)
	if v.Seq == 0 {
		return s.delta(v, f, packed).doc
	}
	sh := s.lists.get(sheetKey{namespace: v.Namespace, form: f, packed: packed, delta: true})
	if e := sh.current.Load(); e.fresh(v) {
		return e.doc
	}
	sh.building.Lock()
	defer sh.building.Unlock()
	if e := sh.current.Load(); e.fresh(v) {
		return e.doc
	}
	next := s.delta(s.store.View(namespace), f, packed)
	sh.current.Store(next)
	return next.doc
}

// fresh reports whether a delta has everything of a view and not much that is too old.
func (e *edition) fresh(v *store.View) bool {
	return e != nil && e.seq >= v.Seq && time.Since(e.made) < grain
}

// delta makes the delta at v or later.
func (s *Server) delta(v *store.View, f eurekawire.Form, packed bool) *edition {
	made := time.Now()
	list, seq := s.store.ChangesSince(v.Namespace, made.Add(-window))
	slices.SortStableFunc(list, func(a, b store.Change) int {
		return cmp.Compare(muster.Fold(a.Key.Service), muster.Fold(b.Key.Service))
	})
	head := eurekawire.Head{
		Version:  strconv.FormatUint(seq, 10),
		HashCode: hash(countsAfter(v, list)),
		Empty:    len(list) == 0,
	}
	buf := s.scratch()
	defer s.free(buf)
	out := eurekawire.AppendApplicationsStart((*buf)[:0], f, head)
	for i, ch := range list {
		if i > 0 {
			out = append(out, f.Separator()...)
		}
		if i == 0 || !muster.EqualFold(list[i-1].Key.Service, ch.Key.Service) {
			out = eurekawire.AppendApplicationStart(out, f, strings.ToUpper(ch.Key.Service))
		}
		out = s.appendChange(out, f, ch)
		if i == len(list)-1 || !muster.EqualFold(list[i+1].Key.Service, ch.Key.Service) {
			out = eurekawire.AppendApplicationEnd(out, f)
		}
	}
	out = eurekawire.AppendApplicationsEnd(out, f, head)
	*buf = out
	return &edition{seq: seq, made: made, doc: assemble(f, packed, []part{s.part(out, packed)})}
}

// appendChange appends an instance of the delta. What is there is kept as the record's fragment: it stays in the delta for minutes,
// while others come and go.
func (s *Server) appendChange(b []byte, f eurekawire.Form, ch store.Change) []byte {
	if ch.Removed != nil {
		in := s.shown(ch.Removed)
		in.ActionType = eurekawire.Deleted
		in.LastUpdated = ch.At.UnixMilli()
		return eurekawire.AppendInstance(b, f, in)
	}
	return append(b, ch.Record.Fragment(fragmentForm(f), func(b []byte) []byte {
		return eurekawire.AppendInstance(b, f, s.shown(ch.Record))
	})...)
}

// countsAfter returns how many records there are by effective status after the changes of a list, of which v may already have some.
func countsAfter(v *store.View, list []store.Change) [5]int {
	counts := v.Counts
	for _, ch := range list {
		if ch.Seq <= v.Seq {
			continue
		}
		if before := v.Service(ch.Key.Service).Record(ch.Key.ID); before != nil {
			counts[before.Effective()]--
		}
		if ch.Record != nil {
			counts[ch.Record.Effective()]++
		}
	}
	return counts
}

func fragmentForm(f eurekawire.Form) store.Form {
	switch f {
	case eurekawire.JSONFull:
		return store.FormEurekaJSON
	case eurekawire.JSONCompact:
		return store.FormEurekaJSONCompact
	case eurekawire.XMLCompact:
		return store.FormEurekaXMLCompact
	}
	return store.FormEurekaXML
}
