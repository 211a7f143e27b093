package balance

import "sync/atomic"

// recall is the member a pool used last.
type recall struct {
	_       [128]byte
	last    atomic.Int64 // index in the slice NewPool was given, or -1; may be written by every pick
	_       [128 - 8]byte
	targets []*Target // those that stand in groups, by that index; else nil
}

func newRecall(members []Member, marks []mark, prev *Pool) *recall {
	r := &recall{targets: make([]*Target, len(members))}
	r.last.Store(-1)
	before := prev.lastUsed()
	for i, m := range members {
		if !marks[i].reason.inUse() {
			continue
		}
		r.targets[i] = m.Target
		if before != nil && m.Target == before {
			r.last.Store(int64(i))
		}
	}
	return r
}

// lastUsed returns the target that a pool which recalls used last, else nil.
func (p *Pool) lastUsed() *Target {
	if p == nil || p.recall == nil {
		return nil
	}
	last := p.recall.last.Load()
	if last < 0 {
		return nil
	}
	return p.recall.targets[last]
}
