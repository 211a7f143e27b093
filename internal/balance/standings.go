package balance

// Standings says what the pool makes of every member, by the indices of the slice NewPool was given.
func (p *Pool) Standings(now int64) []Standing {
	if p.plan == nil {
		return nil
	}
	all := make([]Standing, len(p.plan.marks))
	for i := range all {
		all[i] = p.Standing(now, i)
	}
	return all
}

// Ejected says whether the member of index i is left out as an outlier.
func (p *Pool) Ejected(i int) bool { return p.plan.marks[i].reason == Ejected }
