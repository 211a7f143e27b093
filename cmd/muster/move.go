package main

import (
	"fmt"
	"slices"

	"github.com/muster-go/muster"
)

// move is what some edits do to the traffic of a service, as a client without a zone would distribute it.
type move struct {
	service       string
	before, after []muster.Standing // one an edit
	share         float64           // of all calls, that goes elsewhere
	left          int               // instances that get traffic afterwards
	had           int               // and before
}

// moved works it out from the list.
func moved(v *muster.View, service string, edits []edit) move {
	m := move{service: service, before: make([]muster.Standing, len(edits)), after: make([]muster.Standing, len(edits))}
	before := muster.Explain(v, service, "").Rows
	after := muster.Explain(with(v, service, edits), service, "").Rows
	for i, row := range before {
		m.share += max(0, row.Share-after[i].Share)
		if row.Share > 0 {
			m.had++
		}
		if after[i].Share > 0 {
			m.left++
		}
		for n, e := range edits {
			if e.instance.ID == row.Instance.ID {
				m.before[n], m.after[n] = row, after[i]
			}
		}
	}
	return m
}

// with is v with the edits done.
func with(v *muster.View, service string, edits []edit) *muster.View {
	t := *v.Table
	t.Services = slices.Clone(t.Services)
	for i, snap := range t.Services {
		if !muster.EqualFold(snap.Service, service) {
			continue
		}
		next := *snap
		next.Instances = slices.Clone(snap.Instances)
		for n, in := range next.Instances {
			for _, e := range edits {
				if e.instance.ID == in.ID {
					changed := in.Clone()
					changed.Intent = new(e.after)
					next.Instances[n] = changed
				}
			}
		}
		t.Services[i] = &next
	}
	out := *v
	out.Table = &t
	return &out
}

// ends reports whether the service gets no traffic afterwards, and did before.
func (m move) ends() bool { return m.left == 0 && m.had > 0 }

// question asks whether to do it to so many instances.
func (m move) question(n int) string {
	if m.ends() {
		return fmt.Sprintf("Change %s of %s, and leave nobody to answer its calls?", count(n, "instance"), m.service)
	}
	return fmt.Sprintf("Change %s of %s?", count(n, "instance"), m.service)
}

// String says it in a sentence.
func (m move) String() string {
	switch {
	case m.ends():
		return fmt.Sprintf("Nobody is left: calls of %s find no instance.", m.service)
	case m.left == 0:
		return fmt.Sprintf("%s gets no traffic, as before.", m.service)
	case m.had == 0:
		return fmt.Sprintf("%s gets traffic again, on %s.", m.service, count(m.left, "instance"))
	case m.share < 0.0005:
		return fmt.Sprintf("No traffic of %s moves.", m.service)
	}
	return fmt.Sprintf("%s of the calls of %s move; %s left.", percent(m.share), m.service, remain(m.left))
}

func remain(n int) string {
	if n == 1 {
		return "1 instance is"
	}
	return fmt.Sprintf("%d instances are", n)
}
