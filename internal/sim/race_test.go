//go:build race

package sim

// UnderRace says that the race detector is on, which makes everything ten times as slow: runs are shorter.
const UnderRace = true
