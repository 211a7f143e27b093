package sim

// finishes are the moments at which workers will be done, the earliest on top: a binary heap of values.
type finishes []finish

type finish struct {
	at     int64
	server int32
	slot   int32
	epoch  uint32 // of the server when the work began; if it is another now, the work was lost
}

func (f *finishes) push(e finish) {
	*f = append(*f, e)
	h := *f
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= e.at {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

func (f *finishes) pop() finish {
	h := *f
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*f = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].at < h[child].at {
			child++
		}
		if last.at <= h[child].at {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	return top
}
