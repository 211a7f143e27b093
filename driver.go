package muster

import (
	"context"
	"net/netip"
	"time"
)

// Driver is what a registry back end implements. It is small on purpose: heartbeats, retries, caching, validation and
// staleness are written once, in [Registry]; package registry/registrytest checks that a driver keeps this contract.
//
// A driver serves one namespace. All methods may be called concurrently; each returns within 1 s of its context's end.
type Driver interface {
	// Register makes in visible under its key for ttl and returns the lease. in is complete and valid; the driver keeps it
	// as it is. Registering a key again replaces the instance and takes the lease over from another owner.
	//
	// Errors: Unavailable, Rejected (try again), or for good: Invalid, Denied, Exhausted, Unsupported, Conflict (something
	// static has the key).
	Register(ctx context.Context, in *Instance, ttl time.Duration) (Lease, error)

	// Renew extends the leases of ins by their TTL, in as few requests as the back end allows. It returns those that were
	// not extended, each with its reason, and an error when it does not know about the rest. It never registers again by
	// itself, and no watched snapshot changes because of it.
	//
	// Errors: Unavailable.
	Renew(ctx context.Context, ins []*Instance) ([]Lapse, error)

	// Deregister removes the instance if it is still held by its owner; it is nil when there is nothing to remove.
	//
	// Errors: Unavailable, Denied.
	Deregister(ctx context.Context, in *Instance) error

	// Watch calls emit with a complete Table at once, after each change, and again with the same Table whenever the back end
	// confirms that nothing changed, until ctx ends or it returns an error; it never returns nil. A nil scope means every
	// service; otherwise only the services named. A table that differs has a new Revision, and a service whose instances
	// differ a new Snapshot. prev, if not nil, is a table from before, perhaps of another life of the back end: Watch
	// resumes from it only with proof of continuity, else it lists again and sets Relisted on the first table.
	//
	// emit never blocks. An entry that cannot be read is skipped and counted; doubt about the list as a whole is an error,
	// never a part of it. Silence for the back end's liveness time (streams: 10 s; polls: two intervals) is an error.
	//
	// Errors: Unavailable, Denied, Closed, or ctx.Err().
	Watch(ctx context.Context, scope []string, prev *Table, emit func(*Table)) error

	// Close ends every Watch and frees what the driver holds, leases included. It returns within 1 s even when the back end
	// is gone, and is idempotent.
	Close() error
}

// The optional powers of drivers. Registry finds them by assertion, here and nowhere else.
type (
	// Lister is implemented by drivers that can name the services without watching them all.
	Lister interface {
		// Services returns names, sorted. Errors: Unavailable, Denied.
		Services(ctx context.Context) ([]string, error)
	}

	// StatusSetter is implemented by drivers whose back end has a status override of its own, apart from intents.
	StatusSetter interface {
		// SetStatus sets the override; Unknown removes it. Errors: NotFound, Unavailable, Denied.
		SetStatus(ctx context.Context, k Key, s Status) error
	}

	// Leaver is implemented by drivers for which leaving is not the same as registering again as OutOfService.
	Leaver interface {
		// Leave takes in out of every reader's candidates. Errors: Unavailable, Denied.
		Leave(ctx context.Context, in *Instance) error
	}

	// Router is implemented by drivers that know the way to their back end.
	Router interface {
		// LocalIP returns this machine's address on the route to the back end. Errors: Unavailable.
		LocalIP(ctx context.Context) (netip.Addr, error)
	}

	// Tenant is implemented by drivers that were opened for a namespace; a Registry without one of its own takes it from here.
	Tenant interface {
		// Namespace returns the one that the driver was opened for.
		Namespace() string
	}

	// Placer is implemented by drivers whose back end keeps instances without a lease.
	Placer interface {
		// Place registers in as Static and returns it as readers will see it; it replaces what is static at its key.
		// Errors: Conflict (a lease is held there), Invalid, Exhausted, Unavailable, Denied, Unsupported (the server is too old).
		Place(ctx context.Context, in *Instance) (*Instance, error)
	}

	// Remover is implemented by drivers that can remove an instance that somebody else registered.
	Remover interface {
		// Remove deregisters k whoever owns it. Errors: NotFound, Unavailable, Denied.
		Remove(ctx context.Context, k Key) error
	}
)
