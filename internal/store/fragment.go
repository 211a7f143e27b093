package store

import (
	"slices"
	"sync/atomic"
	"time"
)

// Form names one rendering of a record that is worth keeping.
type Form uint8

// The closed list of forms.
const (
	FormNative Form = iota
	FormEurekaJSON
	FormEurekaJSONCompact
	FormEurekaXML
	FormEurekaXMLCompact
	forms
)

// fragment is one form's bytes, in a list that grows at its head.
type fragment struct {
	bytes []byte
	next  *fragment
	state *formState
	form  Form
}

// formState remembers whether anybody asked for a form since the last look.
type formState struct {
	asked atomic.Bool
	kept  atomic.Bool // a record may hold the form
	idle  int         // looks without an asker; owned by the expiry goroutine
}

// Looks at the forms, and how many of them without an asker drop a form: after 60 to 90 s.
const (
	formLook = 30 * time.Second
	formIdle = 2
)

// Fragment returns the record in that form, as build appends it to the slice it is given. It is built once per record and
// form, for the first asker (two who ask at the same moment may both build; one result stays), and dropped when nobody asked
// any record for the form for a minute or so. Callers must not change the bytes.
func (r *Record) Fragment(form Form, build func(b []byte) []byte) []byte {
	for f := r.fragments.Load(); f != nil; f = f.next {
		if f.form == form {
			if !f.state.asked.Load() {
				f.state.asked.Store(true)
			}
			return f.bytes
		}
	}
	if r.lease == nil {
		return build(nil)
	}
	s := r.lease.space.store
	f := &fragment{bytes: s.build(build), state: &s.forms[form], form: form}
	f.state.kept.Store(true)
	f.state.asked.Store(true)
	for {
		f.next = r.fragments.Load()
		if r.fragments.CompareAndSwap(f.next, f) {
			return f.bytes
		}
	}
}

// build runs build on a scratch buffer, so that what is kept is no longer than it must be.
func (s *Store) build(build func(b []byte) []byte) []byte {
	p, ok := s.scratch.Get().(*[]byte)
	if !ok {
		p = new([]byte)
	}
	*p = build((*p)[:0])
	out := slices.Clone(*p)
	if cap(*p) <= 2*MaxWire {
		s.scratch.Put(p)
	}
	return slices.Clip(out)
}

// dropForms lets go of the forms that nobody asked for lately.
func (s *Store) dropForms() {
	for i := range s.forms {
		f := &s.forms[i]
		if f.asked.Swap(false) || !f.kept.Load() {
			f.idle = 0
			continue
		}
		if f.idle++; f.idle < formIdle {
			continue
		}
		f.idle = 0
		f.kept.Store(false)
		for _, sp := range *s.spaces.Load() {
			for _, svc := range sp.current().Services {
				for _, rec := range svc.Records {
					rec.drop(Form(i))
				}
			}
		}
	}
}

// drop removes one form from the record's list.
func (r *Record) drop(form Form) {
	for {
		head := r.fragments.Load()
		var kept *fragment
		found := false
		for f := head; f != nil; f = f.next {
			if f.form == form {
				found = true
				continue
			}
			kept = &fragment{bytes: f.bytes, next: kept, state: f.state, form: f.form}
		}
		if !found || r.fragments.CompareAndSwap(head, kept) {
			return
		}
	}
}
