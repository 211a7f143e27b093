package muster_test

import (
	"testing"

	"github.com/muster-go/muster"
)

func TestEffectiveIsTheOnlyMerge(t *testing.T) {
	off, on := new(false), new(true)
	for _, c := range []struct {
		name     string
		reported muster.Status
		override muster.Status
		own      *int
		intent   *muster.Intent
		want     muster.Status
		weight   int
	}{
		{"up with nothing said", muster.Up, 0, nil, nil, muster.Up, 10},
		{"its own weight", muster.Up, 0, new(3), nil, muster.Up, 3},
		{"disabled", muster.Up, 0, nil, &muster.Intent{Enabled: off}, muster.OutOfService, 10},
		{"disabled beats an override to up", muster.Up, muster.Up, nil, &muster.Intent{Enabled: off}, muster.OutOfService, 10},
		{"enabled lifts", muster.Up, 0, nil, &muster.Intent{Enabled: on}, muster.Up, 10},
		{"enabled never forces what is down", muster.Down, 0, nil, &muster.Intent{Enabled: on}, muster.Down, 10},
		{"enabled never forces what is out of service", muster.OutOfService, 0, nil, &muster.Intent{Enabled: on}, muster.OutOfService, 10},
		{"reported down beats an override", muster.Down, muster.Up, nil, nil, muster.Down, 10},
		{"starting beats disabled", muster.Starting, 0, nil, &muster.Intent{Enabled: off}, muster.Starting, 10},
		{"unknown is as reported", muster.Unknown, muster.Up, nil, nil, muster.Unknown, 10},
		{"override takes out", muster.Up, muster.OutOfService, nil, nil, muster.OutOfService, 10},
		{"override puts in what reports out of service", muster.OutOfService, muster.Up, nil, nil, muster.Up, 10},
		{"the intent's weight", muster.Up, 0, new(3), &muster.Intent{Weight: new(7)}, muster.Up, 7},
		{"weight 0 of an intent", muster.Up, 0, nil, &muster.Intent{Weight: new(0)}, muster.OutOfService, 0},
		{"weight 0 of its own", muster.Up, 0, new(0), nil, muster.OutOfService, 0},
		{"a note alone changes nothing", muster.Up, 0, nil, &muster.Intent{Note: "look at me"}, muster.Up, 10},
	} {
		in := orders(1)
		in.Status, in.Override, in.Weight, in.Intent = c.reported, c.override, c.own, c.intent
		e := in.Effective()
		if e.Status != c.want || e.Weight != c.weight {
			t.Errorf("%s: %v weight %d, want %v weight %d", c.name, e.Status, e.Weight, c.want, c.weight)
		}
		if !e.Up() && e.Because == "" {
			t.Errorf("%s: takes no traffic, and nothing says why", c.name)
		}
		if inUp := len((&muster.Snapshot{Instances: []*muster.Instance{in}}).Up()) == 1; inUp != e.Up() {
			t.Errorf("%s: Snapshot.Up says %v, Effective says %v", c.name, inUp, e.Up())
		}
	}
}
