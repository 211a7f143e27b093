// Package fault stands between a client and a server on loopback and breaks what passes.
//
// A [Proxy] begins by passing bytes both ways. Each of its methods Pass, Cut, Blackhole, Delay, HalfClose, Reset and Garbage changes how it treats
// the connections it has and those to come, until the next one is called.
package fault
