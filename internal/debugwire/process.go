package debugwire

import (
	"math"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// Process is a process and the clients in it that it shows. Durations are text with their unit, as in "12.5ms".
type Process struct {
	PID     int      `json:"pid"`
	Program string   `json:"program"` // path of the executable; "" if the system does not tell
	Clients []Client `json:"clients"`
}

// Client is one client of a process.
type Client struct {
	Service     string              `json:"service,omitempty"`  // who calls
	Instance    string              `json:"instance,omitempty"` // which instance of it
	Zone        string              `json:"zone,omitempty"`
	Namespace   string              `json:"namespace"`
	Policy      string              `json:"policy"`
	Modes       Modes               `json:"modes"`
	Tries       int                 `json:"tries"`
	Timeout     nativewire.Duration `json:"timeout,omitempty"` // of a call that states none; absent: none
	Fresh       nativewire.Duration `json:"fresh,omitempty"`   // age of its list; absent: none came yet
	Stale       string              `json:"stale,omitempty"`   // why the list is not refreshed; absent: it is
	Services    []string            `json:"services"`          // that it has called, sorted
	Explanation *Explanation        `json:"explanation,omitempty"`
}

// Modes are those of a client's mechanisms, with what "default" stands for in its place.
type Modes struct {
	Zones     string `json:"zones"`
	Tiers     string `json:"tiers"`
	Ejection  string `json:"ejection"`
	SlowStart string `json:"slow_start"`
	Subset    string `json:"subset"`
	Throttle  string `json:"throttle"`
	Breaker   string `json:"breaker"`
	Budget    string `json:"budget"`
	Hedge     string `json:"hedge"`
}

// Explanation is what a client makes of a service that it calls.
type Explanation struct {
	Service   string     `json:"service"`
	Known     bool       `json:"known"`   // the registry lists it
	Schemes   []string   `json:"schemes"` // of the calls so far; weights, shares and scores are those of the first
	Breaker   Breaker    `json:"breaker"`
	Dropped   float64    `json:"dropped"` // share of the attempts that the throttle gives up at once
	Retries   float64    `json:"retries"` // repeated or hedged attempts that the budget would allow now
	Denied    int64      `json:"denied"`  // repeated or hedged attempts that the budget denied so far, or would have in mode shadow
	Refused   int64      `json:"refused"` // attempts that throttle or breaker refused so far, or would have in mode shadow
	Hedged    int64      `json:"hedged"`  // second attempts beside a first so far
	Usable    int        `json:"usable"`  // instances that may get traffic
	Subset    int        `json:"subset"`  // those of them that the client uses
	Ejected   int        `json:"ejected"` // those of the subset that it leaves alone for a while
	Panic     bool       `json:"panic"`   // so many keep failing that none is left alone
	Instances []Standing `json:"instances"`
	More      int        `json:"more,omitempty"` // instances beyond MaxInstances, which are left out here
	Skipped   []Skipped  `json:"skipped,omitempty"`
}

// MaxInstances bounds an explanation, and MaxSkipped what could not be read of the list.
const (
	MaxInstances = 10_000
	MaxSkipped   = 100
)

// Breaker is a client's breaker for a service.
type Breaker struct {
	State    string              `json:"state"` // closed, half-open, open
	Force    string              `json:"force"` // auto, open, closed
	Mode     string              `json:"mode"`
	Left     nativewire.Duration `json:"left,omitempty"` // until an open one lets a call through to try
	Calls    int64               `json:"calls"`          // in the window of 10 s
	Failures int64               `json:"failures"`       // among them
	By       string              `json:"by,omitempty"`   // who forced it, as claimed
	Why      string              `json:"why,omitempty"`
	At       time.Time           `json:"at,omitzero"`
}

// Standing is one instance as the client sees it.
type Standing struct {
	ID        string              `json:"id"`
	Endpoints []string            `json:"endpoints"`
	Zone      string              `json:"zone,omitempty"`
	Version   string              `json:"version,omitempty"`
	Tier      int                 `json:"tier,omitempty"`
	Local     bool                `json:"local"`     // in the client's own zone
	Effective string              `json:"effective"` // status; up: it may get traffic
	Because   string              `json:"because,omitempty"`
	Weight    float64             `json:"weight"` // what the client goes by now; 0 when it leaves it out
	Share     float64             `json:"share"`  // of the calls, 0 to 1, while everybody answers alike
	Score     float64             `json:"score"`  // what the policy compares, lower is better; 0 where it compares nothing
	Ejected   nativewire.Duration `json:"ejected,omitempty"`
	Would     string              `json:"would,omitempty"` // what it would be if everything in mode shadow were enforced
	InFlight  int64               `json:"in_flight"`
	Success   int64               `json:"success"`
	Failure   int64               `json:"failure"`
	Excluded  int64               `json:"excluded"`
	Latency   nativewire.Duration `json:"latency,omitempty"` // moving average; absent before the first
}

// Skipped is an entry of the registry that could not be read.
type Skipped struct {
	Key string `json:"key"`
	Why string `json:"why"`
}

// FromClient says who a client is and by what it goes.
func FromClient(c *muster.Client) Client {
	opt, view := c.Options(), c.Registry().View()
	m := &opt.Modes
	out := Client{
		Service: opt.Service, Instance: opt.Instance, Zone: opt.Zone, Namespace: c.Registry().Namespace(),
		Policy: opt.Policy.String(), Tries: opt.Tries, Timeout: nativewire.Duration(opt.Timeout), Services: c.Services(),
		Modes: Modes{
			Zones: m.Zones.String(), Tiers: m.Tiers.String(), Ejection: m.Ejection.String(), SlowStart: m.SlowStart.String(),
			Subset: m.Subset.String(), Throttle: m.Throttle.String(), Breaker: m.Breaker.String(), Budget: m.Budget.String(), Hedge: m.Hedge.String(),
		},
	}
	if view.Loaded {
		out.Fresh = nativewire.Duration(time.Since(view.Fresh).Round(time.Millisecond))
	}
	if view.Stale != nil {
		out.Stale = view.Stale.Error()
	}
	if out.Services == nil {
		out.Services = []string{}
	}
	return out
}

// FromExplanation is what a client says of a service that it has called.
func FromExplanation(ex *muster.Explanation) *Explanation {
	out := &Explanation{Service: ex.Service, Known: ex.Known, Schemes: []string{}, Instances: []Standing{}}
	if s := ex.State; s != nil {
		out.Schemes = append(out.Schemes, s.Schemes...)
		out.Breaker = FromBreaker(&s.Breaker)
		out.Dropped, out.Retries, out.Denied, out.Refused, out.Hedged = finite(s.Dropped), finite(s.Retries), s.Denied, s.Refused, s.Hedged
		out.Usable, out.Subset, out.Ejected, out.Panic = s.Usable, s.Subset, s.Ejected, s.Panic
	}
	rows := ex.Rows[:min(len(ex.Rows), MaxInstances)]
	out.More = len(ex.Rows) - len(rows)
	for i := range rows {
		out.Instances = append(out.Instances, fromStanding(&rows[i]))
	}
	for _, s := range ex.Skipped[:min(len(ex.Skipped), MaxSkipped)] {
		out.Skipped = append(out.Skipped, Skipped{Key: s.Key, Why: s.Why})
	}
	return out
}

// FromBreaker is a breaker without who forced it.
func FromBreaker(b *muster.Breaker) Breaker {
	return Breaker{
		State: b.State, Force: b.Force.String(), Mode: b.Mode.String(), Left: nativewire.Duration(b.Left.Round(time.Millisecond)),
		Calls: b.Calls, Failures: b.Failures,
	}
}

func fromStanding(row *muster.Standing) Standing {
	in := row.Instance
	out := Standing{
		ID: in.ID, Endpoints: make([]string, len(in.Endpoints)), Zone: in.Zone, Version: in.Version, Tier: in.Tier, Local: row.Local,
		Effective: row.Effective.Status.String(), Because: row.Effective.Because,
		Weight: finite(row.Weight), Share: finite(row.Share), Score: finite(row.Score),
		Ejected: nativewire.Duration(row.Ejected.Round(time.Millisecond)), Would: row.Would,
		InFlight: row.Stats.InFlight, Success: row.Stats.Success, Failure: row.Stats.Failure, Excluded: row.Stats.Excluded,
		Latency: nativewire.Duration(row.Stats.Latency.Round(time.Microsecond)),
	}
	for i, e := range in.Endpoints {
		out.Endpoints[i] = e.String()
	}
	return out
}

// finite is x, or what JSON has in its place.
func finite(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return 0
	case math.IsInf(x, 0):
		return math.Copysign(math.MaxFloat64, x)
	}
	return x
}

// Force is what an operator asks of the breakers for a service.
type Force struct {
	Force     string `json:"force"`               // auto, open, closed
	Namespace string `json:"namespace,omitempty"` // of the service; "": every one
	By        string `json:"by,omitempty"`        // who asks; nobody proves it
	Why       string `json:"why,omitempty"`       // shown for as long as it is forced
}

// MaxText bounds who and why, in bytes.
const MaxText = 1024

// Forced is what became of it.
type Forced struct {
	PID     int            `json:"pid"`
	Clients []ForcedClient `json:"clients"`
}

// ForcedClient is one client's breaker before and after.
type ForcedClient struct {
	Service  string  `json:"service,omitempty"` // who calls
	Instance string  `json:"instance,omitempty"`
	Before   Breaker `json:"before"`
	After    Breaker `json:"after"`
	Error    string  `json:"error,omitempty"` // why it is as before; absent: it was forced
}
