package main

import (
	"slices"
	"strings"

	"github.com/muster-go/muster"
)

// nearest returns up to three of names that name may have been meant for, best first.
func nearest(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var found []near
	want := muster.Fold(name)
	for _, n := range names {
		got := muster.Fold(n)
		d := edits(want, got)
		if len(want) >= 3 && strings.Contains(got, want) {
			d = min(d, 1)
		}
		if d <= max(1, min(3, len(want)/3)) {
			found = append(found, near{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	out := []string{}
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.name)
	}
	return out
}

// meant is " (did you mean A or B?)", or a hint at what there is, or nothing.
func meant(name string, names []string, list string) string {
	if near := nearest(name, names); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	if len(names) == 0 {
		return ""
	}
	return "; " + list + " lists what there is"
}

// maxEdits bounds what edits looks at: names are at most 256 bytes, but there may be many.
const maxEdits = 64

// edits is how many letters must be inserted, removed, replaced or swapped with their neighbour to turn a into b.
// Source: optimal string alignment distance.
func edits(a, b string) int {
	a, b = a[:min(len(a), maxEdits)], b[:min(len(b), maxEdits)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
