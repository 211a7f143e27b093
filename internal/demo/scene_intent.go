package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
	"github.com/muster-go/muster/rpc/httprpc"
)

// silence is how long after the command that disables an instance returned a request may still reach it.
const silence = 100 * time.Millisecond

// disable takes an instance out of traffic and puts it back.
func disable(ctx context.Context, s *stage) error {
	in := s.fleet.alive(social.PushRole)[0]
	before := s.tally.read()
	act, from, err := s.disable(ctx, in, "bad disk")
	if err != nil {
		return err
	}
	undone := time.Now()
	s.shut = append(s.shut, period{in, from, undone})
	if _, _, _, err := s.run(ctx, "undo", act); err != nil {
		return err
	}
	if err := s.claimTraffic(ctx, "enable_traffic", "after that command began it got a request again", in, undone); err != nil {
		return err
	}
	calls, failed, _, _ := s.meanwhile(before)
	s.claim(atMost("disable_failed", fmt.Sprintf("of %d calls failed meanwhile", calls), "", float64(failed), 0))
	return nil
}

// disable disables an instance, waits a second, and claims that its traffic stopped. It returns what undoes the act, and from
// when on nothing may reach the instance.
func (s *stage) disable(ctx context.Context, in *instance, why string) (act string, from time.Time, err error) {
	machine := watchStall()
	out, began, ended, err := s.run(ctx, "disable", in.role, in.id, "--why", why)
	if err == nil {
		err = pause(ctx, time.Second)
	}
	stood := machine.end()
	if err == nil {
		act, err = actOf(out)
	}
	if err != nil {
		return "", from, err
	}
	c := silent(in, began, ended, stood)
	s.claim(c)
	return act, ended.Add(time.Duration(c.Limit) * time.Millisecond), nil
}

// actOf finds the number by which a command said that it is undone: a visitor may have acted since.
func actOf(out []byte) (string, error) {
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Undo: ") {
			words := strings.Fields(line)
			return words[len(words)-1], nil
		}
	}
	return "", fmt.Errorf("the command did not say how it is undone: %q", out)
}

// silent claims how soon after a command the last request reached an instance. Where the machine kept programs waiting, the
// limit is that much higher, twice: the registry and the caller act in turn.
func silent(in *instance, began, ended time.Time, stood time.Duration) Claim {
	last := 0 * time.Millisecond
	if at := in.log.last(); at.After(ended) {
		last = at.Sub(ended)
	}
	limit := silence + 2*stood
	c := atMost("disable_silence", "after the command returned it got its last request", "ms", ms(last), ms(limit))
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

// halve halves an instance's weight, and measures its share of the calls before and after.
func halve(ctx context.Context, s *stage) error {
	in, calls := s.fleet.alive(social.CommentsRole)[0], s.tally.read()
	began := time.Now()
	before, err := s.shareByWeight(ctx, in)
	if err != nil {
		return err
	}
	out, _, ended, err := s.run(ctx, "weight", in.role, in.id, "5", "--why", "half for now")
	if err != nil {
		return err
	}
	act, err := actOf(out)
	if err != nil {
		return err
	}
	until(ctx, readyIn, func() bool {
		now := s.registry.Snapshot(in.role).Instance(in.id)
		return now != nil && now.Effective().Weight == 5
	})
	after, err := s.shareByWeight(ctx, in)
	if err != nil {
		return err
	}
	const want = 100 * 5.0 / 15
	s.claim(atMost("weight_share", fmt.Sprintf("points off the %.0f %% of weights 5 and 10: its share of calls by weight went from %.0f %% to %.0f %%", want, before, after),
		"", math.Abs(after-want), 3))
	then, _ := s.share(in, began, ended)
	now, _ := s.share(in, ended, time.Now())
	s.show.say("All calls together, most of which also go by how busy the instances are: %.0f %% before, %.0f %% since.", then, now)
	all, failed, _, _ := s.meanwhile(calls)
	s.claim(atMost("weight_failed", fmt.Sprintf("of %d calls failed meanwhile", all), "", float64(failed), 0))
	_, _, _, err = s.run(ctx, "undo", act)
	return err
}

// shareByWeight looks people up through a client that goes by weights alone, and returns the part of the calls, in percent,
// that an instance got. What a client sends that also goes by load says less of the weights the busier the machine is.
func (s *stage) shareByWeight(ctx context.Context, in *instance) (percent float64, err error) {
	const calls = 100
	client := muster.NewClient(s.registry, &muster.ClientOptions{Service: "demo", Policy: muster.Weighted, Observer: s.tally})
	defer client.Close()
	web := httprpc.NewTransport(client, nil)
	defer web.CloseIdleConnections()
	for n := 0; n < calls && ctx.Err() == nil; n++ {
		s.traffic.extra(ctx, web)
	}
	var got, all int64
	for _, row := range client.Explain(in.role).Rows {
		all += row.Stats.Success
		if row.Instance.ID == in.id {
			got = row.Stats.Success
		}
	}
	return 100 * float64(got) / float64(max(all, 1)), ctx.Err()
}

// restart kills the registry while an instance is disabled.
func restart(ctx context.Context, s *stage) error {
	in := s.fleet.alive(social.RegisterRole)[1]
	act, from, err := s.disable(ctx, in, "maintenance") // it waits a second: so long it may take until instances are on disk, too
	if err != nil {
		return err
	}
	before := s.tally.read()
	s.kill(s.fleet.serving(), "the registry")
	down := time.Now()
	if err := pause(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	calls, failed, _, _ := s.meanwhile(before)
	s.claim(atLeast("outage_calls", "calls were answered while there was no registry", "", float64(calls-failed), 30))
	s.show.command(commandLine(s.fleet.serveArgs()...))
	if err := s.fleet.serve(ctx); err != nil {
		return err
	}
	s.show.say("It was down for %.1f s.", time.Since(down).Seconds())
	if err := s.claimIntent(ctx, in); err != nil {
		return err
	}
	if err := s.claimWatchers(ctx, time.Now()); err != nil {
		return err
	}
	undone := time.Now()
	s.shut = append(s.shut, period{in, from, undone})
	s.claim(atMost("outage_silence", "requests reached the disabled instance in all that time", "",
		float64(in.log.between(from, undone)), 0))
	if _, _, _, err := s.run(ctx, "undo", act); err != nil {
		return err
	}
	if err := s.claimTraffic(ctx, "outage_traffic", "after that command began it got a request again", in, undone); err != nil {
		return err
	}
	calls, failed, _, _ = s.meanwhile(before)
	s.claim(atMost("outage_failed", fmt.Sprintf("of %d calls failed, from before the kill until now", calls), "", float64(failed), 0))
	return nil
}

// claimWatchers waits until every process sees the registry's changes again, and claims how soon after since that was. They
// wait at random before they try again, up to 5 s after many failures, so that a crowd does not arrive all at once.
func (s *stage) claimWatchers(ctx context.Context, since time.Time) error {
	const limit = 20 * time.Second
	until(ctx, 2*limit, func() bool { return s.fleet.watched(ctx) && s.registry.View().Stale == nil })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.claim(atMost("outage_watchers", "after the registry was back every process heard from it again", "s", time.Since(since).Seconds(), limit.Seconds()))
	return pause(ctx, silence)
}

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
	s.claim(atLeast("outage_intent", "of 1 intent outlived kill -9 of the registry", "", kept, 1))
	return nil
}
