package sim

import "math"

// The names of the pickers that bounds are about.
const (
	Judged    = "adaptive"
	Yardstick = "oracle"
)

// Verdict is a bound and how it stands.
type Verdict struct {
	Bound Bound
	Got   float64 // what the bound is on; for Best, the picker's p99 ÷ the lowest of the others
	Rival string  // for Best: whose the lowest of the others is
	Holds bool
}

// Judge returns the verdicts on a scenario's bounds at one number of clients, from the figures of all pickers by name. A
// bound without the figures that it needs does not hold.
func Judge(s Scenario, all map[string]*Figures) []Verdict {
	verdicts := make([]Verdict, len(s.Bounds))
	for i, b := range s.Bounds {
		verdicts[i] = judge(b, all)
	}
	return verdicts
}

func judge(b Bound, all map[string]*Figures) Verdict {
	own := all[Judged]
	if own == nil {
		return Verdict{Bound: b, Got: math.NaN()}
	}
	if b.Measure == Best {
		return judgeBest(b, own, all)
	}
	got := math.NaN()
	switch b.Measure {
	case OverOracle:
		if oracle := all[Yardstick]; oracle != nil {
			got = own.P99.Mean() / oracle.P99.Mean()
		}
	case BadShare:
		got = own.Bad.Mean()
	case FailedCalls:
		got = own.Failed.Mean()
	case Attempts:
		got = own.Attempts.Mean()
	case OverBefore:
		got = own.OverBefore.Mean()
	case ZoneLoad:
		got = own.ZoneLoad.Mean()
	case FarShare:
		got = own.Far.Mean()
	}
	return Verdict{Bound: b, Got: got, Holds: got <= b.Most}
}

// judgeBest holds when the lowest mean is its own, or when the intervals around both overlap.
func judgeBest(b Bound, own *Figures, all map[string]*Figures) Verdict {
	v := Verdict{Bound: b, Got: math.NaN()}
	least := math.Inf(1)
	for name, f := range all {
		mean := f.P99.Mean()
		if name == Judged || name == Yardstick || mean > least || mean == least && name > v.Rival {
			continue
		}
		least, v.Rival = mean, name
	}
	if v.Rival == "" {
		return v
	}
	mean := own.P99.Mean()
	v.Got = mean / least
	v.Holds = mean-own.P99.Interval() <= least+all[v.Rival].P99.Interval()
	return v
}
