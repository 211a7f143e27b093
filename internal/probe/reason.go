package probe

// Reason follows why a program is ill for as long as it is: a process that answered badly may die of it, or answer something
// else. The zero value has told nothing.
type Reason struct {
	told  string // to others
	other string // what the last answers said instead
	times int    // how many of them, in a row
}

// Tell notes that err is what others are told.
func (r *Reason) Tell(err error) { *r = Reason{told: Because(err, 1)} }

// Changed takes in a further wrong answer and reports whether others should be told anew: it is not what they were told, and
// the same for enough answers in a row. An error that is never the same twice, because of a port in it, say, is told once.
func (r *Reason) Changed(err error, enough int) bool {
	switch why := Because(err, 1); why {
	case r.told:
		r.other, r.times = "", 0
		return false
	case r.other:
		r.times++
	default:
		r.other, r.times = why, 1
	}
	return r.times >= enough
}
