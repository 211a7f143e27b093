package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// silence is how long after the command that disables an instance returned a request may still reach it.
const silence = 100 * time.Millisecond

// disable takes an instance out of traffic and puts it back.
func disable(ctx context.Context, s *stage) error {
	in := s.fleet.alive(social.PushRole)[0]
	before, machine := s.tally.read(), watchStall()
	_, began, ended, err := s.run(ctx, "disable", in.role, in.id, "--why", "bad disk")
	if err == nil {
		err = pause(ctx, time.Second)
	}
	stood := machine.end()
	if err != nil {
		return err
	}
	s.claim(silent("disable_silence", in, began, ended, stood))
	undone := time.Now()
	if _, _, _, err := s.run(ctx, "undo"); err != nil {
		return err
	}
	s.shut = append(s.shut, period{in, ended.Add(silence + 3*stood), undone})
	if err := s.claimTraffic(ctx, "enable_traffic", "after that command began, it got a request again", in, undone); err != nil {
		return err
	}
	calls, failed, _, _ := s.meanwhile(before)
	s.claim(atMost("disable_failed", fmt.Sprintf("failed of %d calls meanwhile", calls), "", float64(failed), 0))
	return nil
}

// silent claims how soon after a command the last request reached an instance. Where the machine kept programs waiting, the
// limit is that much higher: three have to act in turn.
func silent(name string, in *instance, began, ended time.Time, stood time.Duration) Claim {
	last := 0 * time.Millisecond
	if at := in.log.last(); at.After(ended) {
		last = at.Sub(ended)
	}
	limit := silence + 3*stood
	c := atMost(name, "after the command returned, the last request reached it", "ms", ms(last), ms(limit))
	c.Note = fmt.Sprintf("the command took %.0f ms", ms(ended.Sub(began)))
	if stood > 0 {
		c.Note += fmt.Sprintf(", this machine stood still for %.0f", ms(stood))
	}
	return c
}

// claimTraffic waits for a request to an instance, and claims how soon after since it came.
func (s *stage) claimTraffic(ctx context.Context, name, text string, in *instance, since time.Time) error {
	const limit = 15 * time.Second
	var at time.Time
	ok := until(ctx, limit, func() (ok bool) { at, ok = in.log.first(since); return ok })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !ok {
		at = since.Add(2 * limit)
	}
	s.claim(atMost(name, text, "ms", ms(at.Sub(since)), ms(limit)))
	return nil
}

func ms(d time.Duration) float64 { return math.Round(float64(d) / float64(time.Millisecond)) }

// halve halves an instance's weight and measures its share of the requests before and after.
func halve(ctx context.Context, s *stage) error {
	both := s.fleet.alive(social.CommentsRole)
	in := both[0]
	before, err := s.measureShare(ctx, in)
	if err != nil {
		return err
	}
	if _, _, _, err := s.run(ctx, "weight", in.role, in.id, "5", "--why", "half for now"); err != nil {
		return err
	}
	if err := pause(ctx, silence); err != nil {
		return err
	}
	after, err := s.measureShare(ctx, in)
	if err != nil {
		return err
	}
	want := 100 * 5.0 / 15
	c := atMost("weight_share", fmt.Sprintf("its share went from %.0f %% to %.0f %%; by the weights %.0f %%, so it is off by", before, after, want),
		"points", math.Abs(after-want), 8)
	s.claim(c)
	_, _, _, err = s.run(ctx, "undo")
	return err
}

// measureShare waits until enough requests came, and returns the part of them that an instance got.
func (s *stage) measureShare(ctx context.Context, in *instance) (percent float64, err error) {
	const enough = 150
	from, all := time.Now(), 0
	ok := until(ctx, 20*time.Second, func() bool {
		percent, all = s.share(in, from, time.Now())
		return all >= enough
	})
	if !ok && ctx.Err() == nil {
		return 0, fmt.Errorf("%s got %d requests in 20 s, too few to measure shares", in.role, all)
	}
	return percent, ctx.Err()
}

// restart kills the registry while an instance is disabled.
func restart(ctx context.Context, s *stage) error {
	in := s.fleet.alive(social.RegisterRole)[1]
	_, _, ended, err := s.run(ctx, "disable", in.role, in.id, "--why", "maintenance")
	if err != nil {
		return err
	}
	if err := pause(ctx, time.Second); err != nil { // instances are on disk within a second, intents at once
		return err
	}
	before := s.tally.read()
	s.kill(s.fleet.serving(), "the registry")
	down := time.Now()
	if err := pause(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	calls, failed, _, _ := s.meanwhile(before)
	s.claim(atLeast("outage_calls", "calls answered while there was no registry", "", float64(calls-failed), 30))
	s.show.command(commandLine(s.fleet.serveArgs()...))
	if err := s.fleet.serve(ctx); err != nil {
		return err
	}
	s.show.say("It was down for %.1f s.", time.Since(down).Seconds())
	if err := s.claimIntent(ctx, in); err != nil {
		return err
	}
	if !until(ctx, 20*time.Second, s.fresh) && ctx.Err() == nil {
		return fmt.Errorf("the registry is back, but the list here is not refreshed: %w", s.registry.View().Stale)
	}
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	undone := time.Now()
	s.shut = append(s.shut, period{in, ended.Add(2 * silence), undone})
	s.claim(atMost("outage_silence", "requests that reached the disabled instance in all that time", "",
		float64(in.log.between(ended.Add(2*silence), undone)), 0))
	if _, _, _, err := s.run(ctx, "undo"); err != nil {
		return err
	}
	if err := s.claimTraffic(ctx, "outage_traffic", "after that command began, it got a request again", in, undone); err != nil {
		return err
	}
	calls, failed, _, _ = s.meanwhile(before)
	s.claim(atMost("outage_failed", fmt.Sprintf("failed of %d calls, before, meanwhile and after", calls), "", float64(failed), 0))
	return nil
}

func (s *stage) fresh() bool { return s.registry.View().Stale == nil }

// claimIntent asks the registry whether an instance is still disabled.
func (s *stage) claimIntent(ctx context.Context, in *instance) error {
	out, _, _, err := s.run(ctx, "instances", in.role, "-o", "json")
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			ID        string
			Effective struct{ Because string }
			Intent    *struct{ Enabled *bool }
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return fmt.Errorf("muster instances -o json: %w", err)
	}
	kept := 0.0
	for _, it := range list.Items {
		if it.ID == in.id && it.Intent != nil && it.Intent.Enabled != nil && !*it.Intent.Enabled {
			kept = 1
			s.show.say("%s: %s", it.ID, it.Effective.Because)
		}
	}
	s.claim(atLeast("outage_intent", "intents of one that outlived kill -9 of the registry", "", kept, 1))
	return nil
}
