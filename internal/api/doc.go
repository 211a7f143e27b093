// Package api serves muster's native API on a store: registering, finding, watching and governing instances over HTTP.
//
// Everything that is asked for rarely goes through huma, which checks input and writes the OpenAPI document from the Go types.
// Registering, full lists, heartbeats and the watch stream are served by hand, because they are what a busy server does all
// day; they are described in the same document.
//
// A request passes, in this order: the gate while the store is loading (503, never an empty list), the checks on writes (same
// origin), the limit on bodies, the route. Errors are RFC 9457 problems.
package api
