package guard

import "sync/atomic"

// window counts events in the current slice of time and the ten before it.
type window [windowSlices + 1]tally

const windowSlices = 10

func (w *window) add(slice int64) { w[uint32(slice)%(windowSlices+1)].add(slice) }

func (w *window) sum(slice int64) int64 {
	sum := int64(0)
	for i := range w {
		sum += w[i].within(slice, windowSlices)
	}
	return sum
}

// clear forgets all. What is added meanwhile may be lost.
func (w *window) clear() {
	for i := range w {
		w[i].word.Store(0)
	}
}

// tally counts the events of one slice of time. The high half of its word is the number of the slice, modulo 2^32, the low
// half the count; it is used again for another slice, and need not be emptied before. (2^32 of the shortest slices, a
// budget's of 100 ms, are 13 years.)
type tally struct{ word atomic.Uint64 }

const maxCount = 1 << 31 // keeps a count off its slice number when the clock stands still for hours

func (t *tally) add(slice int64) {
	for {
		old := t.word.Load()
		if uint32(old>>32) == uint32(slice) {
			if uint32(old) < maxCount {
				t.word.Add(1)
			}
			return
		}
		if t.word.CompareAndSwap(old, uint64(uint32(slice))<<32|1) {
			return
		}
	}
}

// within returns the count if it is of slice or one of the age slices before it. One that lies ahead, of a clock that was
// set back, is not.
func (t *tally) within(slice int64, age uint32) int64 {
	word := t.word.Load()
	if uint32(slice)-uint32(word>>32) > age {
		return 0
	}
	return int64(uint32(word))
}
