package balance

// roundRobin picks one member after the other, in the order given. A pick for a repeated attempt is random and takes no turn:
// see weighted.
type roundRobin struct {
	group
	turn *turn
}

func (r *roundRobin) pick(_ int64, _ uint64, tried []*Target) int {
	if len(tried) == 0 {
		return int(r.index[r.turn.next()%uint64(len(r.index))])
	}
	retry := random{r.group}
	return retry.draw(tried, -1)
}
