package sim_test

import (
	"math"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/sim"
)

func TestIntervalIsStudents(t *testing.T) {
	var s sim.Sample
	if s.Mean() != 0 || s.Interval() != 0 {
		t.Error("an empty sample has figures")
	}
	for v := range 10 {
		s.Add(float64(v + 1))
	}
	// The standard error of 1 to 10 is 0.9574; t for nine degrees of freedom is 2.262.
	if got := s.Interval(); s.Mean() != 5.5 || math.Abs(got-2.166) > 0.001 {
		t.Errorf("1 to 10: %v ± %.3f, want 5.5 ± 2.166", s.Mean(), got)
	}
}

func TestJudgeKnowsTheBestAndTheOracle(t *testing.T) {
	figures := func(p99 ...float64) *sim.Figures {
		f := sim.NewFigures(sim.Scenario{})
		for _, ms := range p99 {
			f.P99.Add(ms * float64(time.Millisecond))
		}
		return f
	}
	over := sim.Scenario{Bounds: []sim.Bound{{Measure: sim.OverOracle, Most: 1.5}}}
	best := sim.Scenario{Bounds: []sim.Bound{{Measure: sim.Best}}}
	for _, c := range []struct {
		name     string
		scenario sim.Scenario
		adaptive *sim.Figures
		holds    bool
	}{
		{"within 1.5", over, figures(59, 61), true},
		{"beyond 1.5", over, figures(69, 71), false},
		{"lowest", best, figures(49, 51), true},
		{"not lowest, but the intervals overlap", best, figures(70, 72), true},
		{"clearly not lowest", best, figures(500, 501), false},
		{"not measured", best, nil, false},
	} {
		all := map[string]*sim.Figures{"oracle": figures(40, 44), "other": figures(69, 70), "worse": figures(900, 901)}
		if c.adaptive != nil {
			all["adaptive"] = c.adaptive
		}
		v := sim.Judge(c.scenario, all)[0]
		if v.Holds != c.holds {
			t.Errorf("%s: %+v", c.name, v)
		}
		if c.scenario.Bounds[0].Measure == sim.Best && c.adaptive != nil && v.Rival != "other" {
			t.Errorf("%s: the best of the others is %q", c.name, v.Rival)
		}
	}
}
