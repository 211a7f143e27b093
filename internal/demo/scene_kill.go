package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// gone is how soon a killed instance must be off every list: the lease, and time for a machine that is busy.
const gone = TTL + 5*time.Second

// replace is the scene in which the longest running instance of a role is killed and another one started. A patient one waits
// until the dead instance is off the list.
func replace(role string, patient bool) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		in := s.fleet.alive(role)[0]
		before := s.tally.read()
		s.kill(in.process, role+" "+in.id)
		killed := time.Now()
		if patient {
			until(ctx, 2*gone, func() bool { return s.registry.Snapshot(role).Instance(in.id) == nil })
			took := time.Since(killed)
			if ctx.Err() == nil {
				s.claim(atMost("kill_"+role+"_gone", fmt.Sprintf("after the kill it was off the list; leases last %.0f s", TTL.Seconds()), "s", took.Seconds(), gone.Seconds()))
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		args := s.fleet.instanceArgs(role)
		s.show.command(commandLine(args...))
		next, err := s.fleet.start(ctx, role)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("after that command began %s got its first request", next.id)
		if err := s.claimTraffic(ctx, "start_"+role+"_traffic", text, next, next.started); err != nil {
			return err
		}
		calls, failed, repeated, unknown := s.meanwhile(before)
		if role == social.CommentsRole {
			s.show.say("%d attempts met the dead instance or died with it, and were made again at the other one.", repeated)
			s.show.say("%d POSTs without a key died with it: outcome unknown, not retried.", unknown)
		}
		s.claim(atMost("kill_"+role+"_failed", fmt.Sprintf("of %d calls failed meanwhile", calls), "", float64(failed), 0))
		return nil
	}
}

// kill shows and does kill -9.
func (s *stage) kill(p *process, who string) {
	s.show.plain("   " + s.show.style("36", fmt.Sprintf("$ kill -9 %d", p.pid())) + s.show.style("2", "   # "+who) + "\n")
	s.fleet.kill(p)
	s.report.note(func(r *Report) { r.Kills++ })
}
