// Package balancing runs the scenarios of internal/sim with every picker, muster's and the peers', and writes what came
// out into docs/balancing.md. `make balancing` runs all of it; one cell is
//
//	go test -run 'TestBalancing/cells/B/1000/kratos_p2c$' -full -v
//
// It is a package of its own because go-zero starts goroutines when it is imported, and those have no place in the process
// of the benchmarks beside it.
package balancing
