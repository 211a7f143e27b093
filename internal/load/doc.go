// Package load puts a registry under load and measures it as its clients would see it.
//
// # Open loop
//
// Requests are due by the clock, whatever became of those before them, and how long one took is counted from when it was due,
// not from when it could be sent. A server that stalls for a second therefore shows a second, for each request that was due
// meanwhile; a loop in which each caller waits for its answer would show one slow request. What can be in flight is bounded:
// requests that could not begin within [patience] of their time are dropped, and counted.
// Source: Gil Tene, "How NOT to Measure Latency" (coordinated omission).
//
// # What it does
//
// [Run] registers a fleet in a namespace of its own, spread over connections that are kept, as many clients are; keeps it
// alive by heartbeats; and reads, watches and changes it meanwhile. At the end it deregisters what it registered.
package load
