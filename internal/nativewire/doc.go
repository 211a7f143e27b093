// Package nativewire is what muster's native API says on the wire, shared by the server (internal/api) and the client
// (registry/remote): the JSON shapes, the problems, the events of the watch stream and the frame of batched heartbeats.
//
// # JSON
//
// Keys are the project's words in lower case. Times are RFC 3339 in UTC, durations are Go's ("30s", "1m30s"), handles are 16
// hexadecimal digits, statuses are their names. Fields tagged doc and example feed the OpenAPI document.
//
// # Heartbeats
//
// Registering answers with a handle: 64 bits that name the lease and cannot be guessed from another one. A handle is told to
// nobody but the owner, so sending it proves ownership; it dies with the lease, so a stale or forged one is not_found. A frame
// of handles ([AppendFrame]) is answered by the positions that were not extended ([AppendReply]): conflict when the store
// still remembers that another owner took the key over, else not_found. Whoever is told not_found asks again by name
// ([Heartbeats], JSON), with its owner: that answer tells a forgotten lease (register again) from a key taken over by another
// owner (stop), and brings the new handle after the server was restarted.
//
// # Watch
//
// A stream of server-sent events ([Event]). "reset" begins the list anew, "put" and "delete" change it, and nothing of this
// counts until "sync", which carries the id to resume from; "confirm" says that nothing has changed since. A reader therefore
// never shows a part of a change, nor a part of a list.
package nativewire
