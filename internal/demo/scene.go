package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// scene is something that is done to the fleet, by a command that is shown, and what is claimed of it.
type scene struct {
	title string
	play  func(ctx context.Context, s *stage) error
}

// scenes are the scenes of a round, in their order.
func scenes() []scene {
	return []scene{
		{"", join},
		{"Everybody calls everybody, nothing is done to them", rest},
		{"An instance is disabled, then enabled again", disable},
		{"The weight of an instance is halved", halve},
		{"An instance of push is killed, another one takes its place", replace(social.PushRole, true)},
		{"The registry itself is killed and restarted, while an instance is disabled", restart},
		{"An instance of register is killed", replace(social.RegisterRole, false)},
		{"An instance of the comment API is killed in the middle of its calls", replace(social.CommentsRole, false)},
		{"And one of push again", replace(social.PushRole, false)},
	}
}

func roles() []string { return social.Roles() }

// claim notes and shows a claim.
func (s *stage) claim(c Claim) { s.show.claim(s.report.add(c)) }

// run shows a muster command against the registry of the demo, and runs it as shown. It returns what it printed, and when it
// began and ended.
//
// Errors: its exit code was not 0; the text has what it said.
func (s *stage) run(ctx context.Context, args ...string) (out []byte, began, ended time.Time, err error) {
	args = append(args, "--registry", s.fleet.registryURL())
	s.show.command(commandLine(args...))
	cmd := s.fleet.command(args)
	ownGroup(cmd)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began = time.Now()
	err = cmd.Start()
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		stop()
	}
	ended = time.Now()
	if ctx.Err() != nil {
		return nil, began, ended, ctx.Err()
	}
	if err != nil {
		return nil, began, ended, fmt.Errorf("%s: %w: %s", commandLine(args...), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), began, ended, nil
}

// commandLine writes a command as it is typed.
func commandLine(args ...string) string {
	words := []string{"muster"}
	for _, a := range args {
		if strings.ContainsAny(a, " \t\"'$\\;&|<>*?(){}#~") || a == "" {
			a = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(a) + `"`
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// pause waits.
//
// Errors: ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits for something to become true, and reports whether it did in time.
func until(ctx context.Context, limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) || pause(ctx, 5*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

// share is the part of the requests to a role's instances, in percent, that one of them got in a span of time.
func (s *stage) share(of *instance, from, to time.Time) (percent float64, all int) {
	for _, in := range s.fleet.alive(of.role) {
		all += in.log.between(from, to)
	}
	if all == 0 {
		return 0, 0
	}
	return 100 * float64(of.log.between(from, to)) / float64(all), all
}

// meanwhile returns how many calls there were since before, that could be repeated, and how many of them failed.
func (s *stage) meanwhile(before Calls) (calls, failed, repeated, unknown int) {
	now := s.tally.read()
	return now.Safe - before.Safe, now.Failed - before.Failed, now.Repeated - before.Repeated, now.Unknown - before.Unknown
}

// rest lets the calls go on for a while.
func rest(ctx context.Context, s *stage) error {
	before := s.tally.read()
	least, took, err := s.watchShares(ctx)
	if err != nil {
		return err
	}
	calls, failed, _, _ := s.meanwhile(before)
	s.claim(atMost("calm_failed", fmt.Sprintf("of %d calls failed", calls), "", float64(failed), 0))
	c := atLeast("calm_share", "of a service's requests went to the less used of its two instances", "%", least, even)
	if took > 1 {
		c.Note = fmt.Sprintf("it took %d seconds to see that of every service: who answers late is called less", took)
	}
	s.claim(c)
	return nil
}

const (
	even        = 30 // percent; two equal instances get 50 each, but for chance and for how busy they are
	evenSeconds = 20
)

// watchShares looks at the requests second by second, until each service had one in which its less used instance got its part
// of them: one of two may have to wait where the machine is busy, and is called less for a while, but not always. It returns
// the smallest of the services' best parts, in percent, and the number of seconds.
func (s *stage) watchShares(ctx context.Context) (least float64, seconds int, err error) {
	best := make(map[string]float64)
	for least < even && seconds < evenSeconds {
		from := time.Now()
		if err := pause(ctx, time.Second); err != nil {
			return 0, seconds, err
		}
		seconds++
		least = 100
		for _, role := range roles() {
			best[role] = max(best[role], s.leastShare(role, from))
			least = min(least, best[role])
		}
	}
	return least, seconds, nil
}

// leastShare is the smallest part of the requests to a role's instances that one of them got since a time, in percent.
func (s *stage) leastShare(role string, from time.Time) float64 {
	least, now := 100.0, time.Now()
	for _, in := range s.fleet.alive(role) {
		percent, _ := s.share(in, from, now)
		least = min(least, percent)
	}
	return least
}
