// Package store keeps what `muster serve` serves: records of instances by (namespace, service, ID), intents, audit, and one
// feed of changes per namespace that every face reads. Faces keep no state of their own.
//
// # Shape
//
// A namespace has one lock. Writers hold it for one change and never copy a list: sorted lists are built in [Store.View], for
// the first asker after a change, from the list before and what changed since. Renewals are atomics on the lease, which is the
// mutable half of a [Record]. Every change has a number, its Seq; [Store.Changes] gives what happened after one.
//
// # Time
//
// Leases live on the monotonic clock. One goroutine looks at a lease when it may be late or due, so renewing costs nothing
// there. After a load and after a pause of the process every lease begins anew. See [Preservation] for when nothing expires.
// Intents end at a time of day, for a person named it; a clock set back only puts that off.
//
// # What lasts
//
// One goroutine writes to the [Journal]: intents and audit are synced before they are visible, records are written behind,
// within a second, by reading the feed like any other reader.
package store
