//go:build !race

package sim

const UnderRace = false
