// Package sim plays calls through the real pickers of internal/balance against servers that do not exist.
//
// It is a simulation by discrete events: a fleet of servers with workers and queues, callers that each know only what
// they sent and what came back, a network that takes time, and a script of what goes wrong. Time is a number, so twenty
// seconds of a hundred servers pass in less than one, and the same seed gives the same calls to every picker.
//
// A [Scenario] says what happens and what must be true of it, a [Picker] makes a [Chooser] for each client, and [Run]
// plays one through the other. The scenarios, their seeds and their bounds (scenarios.go) were written before anything
// was tuned by them. A bound that turns out wrong is changed in a commit of its own that says why.
//
// To try one cell, with ten seeds:
//
//	go test ./internal/sim -run '^$' -bench 'Cell/B/clients=1000/adaptive$' -benchtime 10x
package sim
