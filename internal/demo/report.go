package demo

import (
	"cmp"
	"fmt"
	"math"
	"sync"
	"time"
)

// Report is what a run of the demo found; its JSON form is what programs read.
type Report struct {
	OK       bool    `json:"ok"` // every claim held
	Seconds  float64 `json:"seconds"`
	Rounds   int     `json:"rounds"`
	Kills    int     `json:"kills"` // kill -9, of instances and of the registry
	Calls    Calls   `json:"calls"`
	Stored   int     `json:"comments_stored"`
	Acked    int     `json:"comments_acknowledged"`
	Doubtful int     `json:"comments_in_doubt"` // no answer came: stored once or not at all
	Claims   []Claim `json:"claims"`

	mu    sync.Mutex // guards the fields while the demo runs
	began time.Time
}

// Calls counts the calls that were made.
type Calls struct {
	Total    int `json:"total"`
	Safe     int `json:"safe"`            // GET, or with an Idempotency-Key: may be repeated
	Failed   int `json:"safe_failed"`     // of them
	Repeated int `json:"repeated"`        // attempts beyond each call's first
	Plain    int `json:"without_key"`     // POST without a key: repeated only if it was never sent
	Unknown  int `json:"outcome_unknown"` // of them: no answer, not repeated
}

// Claim is something that must hold, and what was measured.
type Claim struct {
	Name  string  `json:"name"`
	Text  string  `json:"text"` // goes on where the value ends: "0" "of 131 calls failed"
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	Rule  string  `json:"rule"` // "at most" or "at least"
	Limit float64 `json:"limit"`
	OK    bool    `json:"ok"`
	Note  string  `json:"note,omitempty"` // what helps to understand a value
	Round int     `json:"round"`
}

func atMost(name, text, unit string, value, limit float64) Claim {
	return Claim{Name: name, Text: text, Unit: unit, Value: round(value), Rule: "at most", Limit: round(limit), OK: value <= limit}
}

func atLeast(name, text, unit string, value, limit float64) Claim {
	return Claim{Name: name, Text: text, Unit: unit, Value: round(value), Rule: "at least", Limit: round(limit), OK: value >= limit}
}

// round keeps a tenth: more would only look exact.
func round(v float64) float64 { return math.Round(v*10) / 10 }

// measure writes a value of the claim with its unit.
func (c *Claim) measure(v float64) string {
	if c.Unit == "" {
		return fmt.Sprintf("%g", v)
	}
	return fmt.Sprintf("%g %s", v, c.Unit)
}

// add notes a claim, and returns it as noted.
func (r *Report) add(c Claim) Claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Round = cmp.Or(r.Rounds, 1)
	r.Claims = append(r.Claims, c)
	return c
}

// note changes the counts.
func (r *Report) note(change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// broken returns the claims that did not hold.
func (r *Report) broken() []Claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Claim
	for _, c := range r.Claims {
		if !c.OK {
			out = append(out, c)
		}
	}
	return out
}

// close draws the conclusion.
func (r *Report) close() {
	ok := len(r.broken()) == 0
	r.note(func(r *Report) {
		r.OK = ok
		r.Seconds = round(time.Since(r.began).Seconds())
	})
}

// Err says which claims did not hold; nil when all did.
func (r *Report) Err() error {
	broken := r.broken()
	if len(broken) == 0 {
		return nil
	}
	c := broken[0]
	more := ""
	if len(broken) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(broken)-1)
	}
	return fmt.Errorf("a claim did not hold: %s %s; %s %s is promised%s", c.measure(c.Value), c.Text, c.Rule, c.measure(c.Limit), more)
}
