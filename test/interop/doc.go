// Package interop runs unchanged clients of other makes against muster serve, and against each other.
//
// It is a module of its own, so that what the peers need never reaches users. Every service here is a process with a real HTTP
// server. What it serves, calls and sees goes to a file of its own, one JSON object a line; the tests compare the files of all
// sides.
package interop
