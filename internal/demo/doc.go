// Package demo shows muster at work on one machine, and checks what it shows: a registry, two instances each of three
// services, and their caller, as separate processes that talk over real sockets. Every few seconds something is done to them
// (kill -9, disable, weight), by a command that is printed first, and a claim is measured.
//
// Reading order: demo.go runs a list of scenes (scene.go and the scenes_*.go) on a stage; fleet.go holds the processes,
// traffic.go calls them, requests.go is what the services say of the calls, ledger.go is what was acknowledged and must be
// found in the store at the end, board.go and show.go are what people see, report.go what programs read.
//
// It is a user's program: it sees of muster what a user sees.
package demo
