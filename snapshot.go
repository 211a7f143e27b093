package muster

import (
	"sort"
)

// Revision identifies a state of a list. It is opaque: compare it for equality, nothing else. "" is no state.
type Revision string

// Table is everything a driver watches, complete and immutable: one snapshot per service, sorted by folded name.
type Table struct {
	Revision Revision
	Services []*Snapshot
	// Relisted says that the table was listed anew without proof that no change was missed since the one before, as after a
	// back end came back from nothing. Registry holds an empty list back for a while when it was relisted.
	Relisted bool
}

// Snapshot is one service's complete list, immutable. A snapshot that did not change keeps its pointer from table to table.
type Snapshot struct {
	Service   string
	Revision  Revision
	Instances []*Instance       // sorted by ID
	Attrs     map[string]string // what the back end says of the service as a whole
	Skipped   []Skipped         // entries that could not be read
}

// Skipped is an entry of the back end that was left out of a snapshot, because it could not be read.
type Skipped struct {
	Key string // as the back end names it
	Why string
}

// Snapshot returns the service's snapshot, or nil when the table has none. Names are compared without ASCII case.
func (t *Table) Snapshot(service string) *Snapshot {
	if t == nil {
		return nil
	}
	name := Fold(service)
	i := sort.Search(len(t.Services), func(i int) bool { return Fold(t.Services[i].Service) >= name })
	if i < len(t.Services) && EqualFold(t.Services[i].Service, name) {
		return t.Services[i]
	}
	return nil
}

// Instance returns the instance with that ID, or nil. It works on a nil snapshot.
func (s *Snapshot) Instance(id string) *Instance {
	if s == nil {
		return nil
	}
	i := sort.Search(len(s.Instances), func(i int) bool { return s.Instances[i].ID >= id })
	if i < len(s.Instances) && s.Instances[i].ID == id {
		return s.Instances[i]
	}
	return nil
}

// Up returns the instances that may get traffic, sorted by ID. It works on a nil snapshot.
func (s *Snapshot) Up() []*Instance {
	return s.where(func(in *Instance) bool { up, _ := in.effectively(); return up })
}

// InZone returns the instances of that zone that may get traffic.
func (s *Snapshot) InZone(zone string) []*Instance {
	return s.where(func(in *Instance) bool { up, _ := in.effectively(); return up && in.Zone == zone })
}

// NotInZone returns the instances outside that zone that may get traffic.
func (s *Snapshot) NotInZone(zone string) []*Instance {
	return s.where(func(in *Instance) bool { up, _ := in.effectively(); return up && in.Zone != zone })
}

func (s *Snapshot) where(keep func(*Instance) bool) []*Instance {
	if s == nil {
		return nil
	}
	var out []*Instance
	for _, in := range s.Instances {
		if keep(in) {
			out = append(out, in)
		}
	}
	return out
}
