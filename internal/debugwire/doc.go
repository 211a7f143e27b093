// Package debugwire is what both halves of live debugging agree on: what a debug handler says of its process and the clients in
// it, as JSON, and where the processes of a user put the sockets on which they say it.
//
// Reading order: process.go has the shapes, socket.go the places; system_*.go is what systems differ in.
package debugwire
