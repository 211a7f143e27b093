package balance

// subsets says whether a policy does as well with some of many members. Maglev does not: callers that share a key but no
// subset would disagree on its target.
func (p Policy) subsets() bool { return p != Maglev }
