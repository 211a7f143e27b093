package demo

import (
	"context"
	"fmt"
	"time"
)

// settle is how long after the last call something might still reach the store: what a killed process had sent.
const settle = 300 * time.Millisecond

// reckon is the end of a round: nobody calls any more, and what was acknowledged is compared with what is stored.
func (s *stage) reckon() error {
	s.show.heading("The reckoning: what was acknowledged, and what is in the store")
	_ = pause(context.Background(), settle) // the books are closed even when the demo is interrupted
	b, err := s.traffic.ledger.compare(s.fleet.shelf.store())
	if err != nil {
		return err
	}
	s.report.note(func(r *Report) {
		r.Stored, r.Acked, r.Doubtful = r.Stored+b.stored, r.Acked+b.acknowledged, r.Doubtful+b.doubtful
	})
	s.show.say("%d comments acknowledged, %d stored; of %d nobody knew the outcome.", b.acknowledged, b.stored, b.doubtful)
	for _, c := range b.claims() {
		s.claim(c)
	}
	if s.opt.Once {
		s.claim(atLeast("calls", "calls were made in all", "", float64(s.tally.read().Total), fewest))
	}
	trespassed := 0
	for _, p := range s.shut {
		trespassed += p.in.log.between(p.from, p.to)
	}
	s.claim(atMost("disabled_requests", fmt.Sprintf("requests reached a disabled instance, from %d ms after the command on", silence.Milliseconds()), "", float64(trespassed), 0))
	return nil
}
