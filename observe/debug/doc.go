// Package debug shows what the clients of a process do, while they do it: who is a candidate and why the others are not, scores,
// weights and shares, who is ejected, breakers and budgets. `muster explain` reads it, and `muster breaker` forces breakers.
//
// A [Handler] is an http.Handler. Mount it where only those who may see it come, or let [Listen] serve it on a unix socket that
// nobody but the process's own user can open:
//
//	GET  /                              the process and its clients
//	GET  /services/{service}            what each client makes of a service that it has called
//	POST /services/{service}/breaker    {"force": "open", "by": "ann", "why": "…"} forces their breakers: open, closed or auto
//
// A process may have clients of several namespaces: ?namespace=NS, and "namespace" beside "force", mean those of one.
// Answers are JSON; durations in it are text with their unit, such as "12.5ms". Problems are RFC 9457's.
package debug
