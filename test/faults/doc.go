// Package faults breaks muster serve and its clients in real time: processes that are killed, paused and starved, connections that
// are cut, silent and full of nonsense, data that are lost, locked and damaged.
//
// Every test starts the real binary, keeps using it while it is broken, and looks on for longer than a lease afterwards. What a
// test claims are orders and counts; a duration only where it is the claim.
package faults
