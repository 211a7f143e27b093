package muster_test

import (
	"reflect"
	"testing"
	"time"

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

func TestWhoReportsAStatusMaySayWhy(t *testing.T) {
	for status, want := range map[muster.Status]string{
		muster.Down: "reports down: no disk", muster.Starting: "reports starting: no disk", muster.OutOfService: "reports out_of_service: no disk", muster.Up: "",
	} {
		in := orders(1)
		in.Status, in.Metadata = status, map[string]string{muster.BecauseKey: "no disk"}
		if got := in.Effective().Because; got != want {
			t.Errorf("%v: because %q, want %q", status, got, want)
		}
	}
}

func TestWhatAnIntentGivesWayTo(t *testing.T) {
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	five := &muster.Intent{Weight: new(5), Why: "slow", By: "ann", Rev: 3}
	over := &muster.Intent{Enabled: new(false), Until: until, Then: five, Rev: 4}
	for _, c := range []struct {
		name string
		it   muster.Intent
		old  *muster.Intent
		want *muster.Intent
	}{
		{"for good", muster.Intent{Note: "n"}, five, nil},
		{"for good, whatever its writer says", muster.Intent{Note: "n", Then: five}, five, nil},
		{"with an end over nothing", muster.Intent{Note: "n", Until: until}, nil, nil},
		{"over one for good", muster.Intent{Note: "n", Until: until}, five, five},
		{"over one with an end", muster.Intent{Note: "n", Until: until}, over, five},
		{"over one with an end and nothing beneath", muster.Intent{Note: "n", Until: until}, &muster.Intent{Note: "o", Until: until}, nil},
		{"over one that asks for nothing", muster.Intent{Note: "n", Until: until}, &muster.Intent{}, nil},
		{"as its writer says", muster.Intent{Note: "n", Until: until, By: "bob", Then: &muster.Intent{Weight: new(7), By: "eve", Rev: 9}}, five, &muster.Intent{Weight: new(7), By: "bob"}},
		{"as its writer says, and it is so", muster.Intent{Note: "n", Until: until, By: "bob", Then: &muster.Intent{Weight: new(5), Why: "slow"}}, over, five},
		{"nothing, as its writer says", muster.Intent{Note: "n", Until: until, Then: &muster.Intent{}}, five, nil},
	} {
		if got := c.it.Beneath(c.old); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestWhatAnIntentGivesWayToIsChecked(t *testing.T) {
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for what, then := range map[string]*muster.Intent{
		"an end":            {Note: "n", Until: until},
		"something beneath": {Note: "n", Then: &muster.Intent{}},
		"a weight of -1":    {Weight: new(-1)},
	} {
		it := muster.Intent{Enabled: new(false), Until: until, Then: then}
		if err := it.Validate(); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("then with %s: %v", what, err)
		}
	}
	if err := (&muster.Intent{Enabled: new(false), Until: until, Then: &muster.Intent{Weight: new(5)}}).Validate(); err != nil {
		t.Error(err)
	}
}
