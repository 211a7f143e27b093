//go:build race

package balance_test

// underRace says that the race detector is on: everything takes ten times as long, so counts are shorter.
const underRace = true
