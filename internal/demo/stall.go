package demo

import (
	"sync"
	"time"
)

// stall measures how long this machine lets a program wait that has something to do: where other programs use it up, being
// late by that much says nothing of muster.
type stall struct {
	stop   chan struct{}
	joined sync.WaitGroup
	worst  time.Duration
}

// stallTick is how often the time is looked at; being late by less than half of it is not worth mentioning.
const stallTick = 10 * time.Millisecond

func watchStall() *stall {
	s := &stall{stop: make(chan struct{})}
	s.joined.Go(s.run)
	return s
}

func (s *stall) run() {
	timer := time.NewTimer(stallTick)
	defer timer.Stop()
	for {
		due := time.Now().Add(stallTick)
		timer.Reset(stallTick)
		select {
		case <-timer.C:
			s.worst = max(s.worst, time.Since(due))
		case <-s.stop:
			return
		}
	}
}

// end stops measuring, and returns the longest wait.
func (s *stall) end() time.Duration {
	close(s.stop)
	s.joined.Wait()
	if s.worst < stallTick/2 {
		return 0
	}
	return s.worst
}
