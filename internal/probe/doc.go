// Package probe asks programs whether they are well, from outside: by a connection, by HTTP, by gRPC's health protocol.
//
// [Client] asks once; `muster register --health` uses it for the command that it runs. [Prober] asks on, for instances that a
// server keeps, and judges them; it is what `muster serve --probe` starts.
//
// Whoever registers chooses the address that a prober connects to. What keeps that from being a way into the server's own
// network is in allow.go (where it never connects to), prober.go (how often) and client.go (how little of an answer is read).
package probe
