// Package bench measures muster beside the least that the same work can cost.
//
// Every benchmark is a [Pair]: muster's side and a floor, in turns, in one run of one machine, so that their ratio holds where
// neither figure does. docs/performance.md says how to read the lines and what came out.
//
// Servers are processes of their own: `muster serve`, built once, and this test binary started again as the floor (floor_test.go).
// Load stays on 127.0.0.1 and is bounded by count. Linux only: other systems do not tell the processor time of another process.
package bench
