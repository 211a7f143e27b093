package balance

import (
	"math/rand/v2"
	"sync/atomic"
)

// turn is a position in a rotation, alone on its cache lines since every pick writes it. Pools that follow each other
// share it.
type turn struct {
	_ [128]byte
	n atomic.Uint64
	_ [128 - 8]byte
}

// newTurn starts anywhere, so that a thousand clients started at once do not all turn to the same target first.
func newTurn() *turn {
	t := &turn{}
	t.n.Store(rand.Uint64())
	return t
}

func (t *turn) next() uint64 { return t.n.Add(1) }
