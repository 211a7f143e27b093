package api

import "sync/atomic"

// held bounds the bytes of steps that streams are writing. A step is shared by all who were told of the one before it; those who
// take their time, each from another moment, would hold as many large steps as they are. So when there is too much of them a stream
// that would write another one lists anew, of which it holds one piece at a time.
type held struct {
	bytes atomic.Int64
	most  int64
}

// take counts one more stream that writes the step, or reports that there is no room. A step that others write already costs
// nothing more.
func (h *held) take(s *step) bool {
	if s.writers.Add(1) > 1 {
		return true
	}
	size := int64(len(s.events))
	if h.bytes.Add(size) <= h.most || size <= smallStep {
		return true
	}
	h.give(s)
	return false
}

// smallStep is told in any case: a list would be longer.
const smallStep = 16 << 10

// give ends what take began.
func (h *held) give(s *step) {
	if s.writers.Add(-1) == 0 {
		h.bytes.Add(-int64(len(s.events)))
	}
}
