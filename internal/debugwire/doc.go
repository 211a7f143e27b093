// Package debugwire is what both halves of live debugging agree on: what a debug handler says of its process and the clients in
// it, as JSON, and where the processes of a user put the sockets on which they say it.
//
// Reading order: process.go has the shapes, socket.go the places; owner_*.go is who a directory belongs to.
package debugwire
