package muster

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

// service is what a client keeps of one service as a whole, whatever the scheme of its calls.
type service struct {
	modes    *Modes // resolved: none is Default
	budget   *guard.Budget
	throttle *guard.Throttle
	breaker  *guard.Breaker
	paces    guard.Paces

	refused atomic.Int64 // attempts that throttle or breaker refused, or would have in Shadow
	denied  atomic.Int64 // repeated or hedged attempts that the budget denied, or would have
	hedged  atomic.Int64 // second attempts beside a first
}

func newService(modes *Modes) *service {
	return &service{
		modes:    modes,
		budget:   guard.NewBudget(guard.BudgetConfig{}),
		throttle: guard.NewThrottle(),
		breaker:  guard.NewBreaker(),
	}
}

// admit says whether an attempt may be made; after nil, report must be called once with counted.
//
// In mode Shadow an attempt that would have been refused is made all the same. The breaker must not hear of it, which would
// take it for the one trial of a half-open state: counted is false then. The throttle is asked once for a call, at its first
// attempt; the budget bounds what follows.
//
// Errors: Rejected.
func (s *service) admit(now int64, first bool) (counted bool, err error) {
	if s.modes.Breaker != Off && !s.breaker.Allow(now) {
		s.refused.Add(1)
		st := s.breaker.State(now)
		if s.modes.Breaker == Enforce || st.Force == guard.ForceOpen {
			return false, &Error{Code: Rejected, After: time.Duration(max(0, st.Until-now)), Err: openBecause(&st)}
		}
	} else {
		counted = s.modes.Breaker != Off
	}
	if !first {
		return counted, nil
	}
	switch s.modes.Throttle {
	case Enforce:
		if s.throttle.Allow(now) {
			return counted, nil
		}
		s.refused.Add(1)
		if counted {
			s.breaker.Cancel(now)
		}
		return false, &Error{Code: Rejected, Err: errThrottled}
	case Shadow:
		if drop := s.throttle.Drop(now); drop > 0 && rand.Float64() < drop {
			s.refused.Add(1)
		}
	}
	return counted, nil
}

const errThrottled = constError("most of the recent calls of this service failed: this client gives up a share of them, so that it can recover")

// openBecause says why nothing gets through.
func openBecause(st *guard.BreakerState) error {
	if st.Force == guard.ForceOpen {
		return constError("an operator has opened this client's breaker for the service")
	}
	return constError("this client's breaker for the service is open: half of its calls or more failed")
}

// report takes in how an attempt went that was admitted. It says whether the breaker's state has changed.
func (s *service) report(now int64, counted bool, o Outcome) (changed bool) {
	if o == Excluded {
		if counted {
			s.breaker.Cancel(now)
		}
		return false
	}
	return counted && s.breaker.Done(now, o == Success)
}

// settle tells the throttle how a call ended of which an attempt was made. It hears of calls, not of attempts: an instance that
// fails, and whose calls go well at another one, is no reason to hold any back.
func (s *service) settle(now int64, o Outcome) {
	if s.modes.Throttle != Off && o != Excluded {
		s.throttle.Done(now, o == Success)
	}
}

// retry takes one repeated attempt from the budget.
func (s *service) retry(now int64) bool {
	if s.modes.Budget == Off || s.budget.Withdraw(now) {
		return true
	}
	s.denied.Add(1)
	return s.modes.Budget == Shadow
}

// calm says whether nothing that acts stands in the way of attempts: the time for those that may be, but need not.
func (s *service) calm(now int64) bool {
	if s.modes.Throttle == Enforce && s.throttle.Drop(now) > 0 {
		return false
	}
	st := s.breaker.State(now)
	return st.State == guard.Closed || s.modes.Breaker != Enforce && st.Force != guard.ForceOpen
}
