// Package muster registers, finds, calls and governs services over the registries and protocols that teams already run.
//
// A [Registry] is what users hold for one back end: it keeps this process's registrations alive and holds the newest
// [Table] of everybody's. A [Driver] is what a back end implements; drivers live in registry/local, registry/remote and so
// on, and registry/open picks one from a URL. A [Client] chooses an [Instance] for each [Call], retries on another one where
// that is safe, and learns from the outcome. Protocol packages (rpc/httprpc and others) stand on Client and [Gate].
//
// # Words
//
// Every [Instance] of a service has a key (namespace, service, ID), one or more endpoints, a reported [Status] and a weight.
// An [Intent] is what an operator wants for it. [Instance.Effective] merges the two and says why; nothing else does.
//
// # Time and concurrency
//
// All exported types are safe for concurrent use unless their comment says otherwise. Instances, snapshots and tables are
// immutable once published: read them, never change them. Reading a table or picking an instance takes no lock.
//
// # Errors
//
// Every error this package returns carries one [Code] of a closed list; test with errors.Is(err, muster.NotFound) or
// [CodeOf].
package muster
