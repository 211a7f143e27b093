package registrytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// Harness says how to reach one kind of back end and what it is capable of. Only New and TTL must be set; the rest at zero
// describes a back end that pushes changes and holds and can do everything.
type Harness struct {
	// New starts, or makes room on, a back end that holds nothing, and cleans up with tb.Cleanup. A subtest may call it more
	// than once; what one call returns must not be seen through another.
	New func(tb testing.TB) Backend

	TTL   time.Duration // the shortest lease that is granted as asked for; on a busy machine a third of it must be ample
	Lag   time.Duration // longest time from a write until Watch emits it; 0 for push, the interval for polls
	Sweep time.Duration // longest time from the end of a lease until the back end acts on it
	Alive time.Duration // a Watch emits or ends at least this often; 0 means 10 s, or twice Lag if that is set

	// Lacks names what the layout or the back end cannot do, each with the reason. Subtests that need it are left out, and
	// the list of them is logged. Claiming too much or too little fails HarnessTellsTheTruth.
	Lacks map[Trait]string

	// Exact runs each subtest in a bubble of testing/synctest: time is exact and waits are free. The back end and its drivers
	// must then live in the bubble as well, without sockets or files.
	Exact bool

	// Parallel runs the subtests at the same time. It is for back ends in real time that New keeps wholly apart.
	Parallel bool
}

// Backend is one back end under test. Functions that Harness.Lacks excuses are nil, the others are not.
type Backend struct {
	// Open returns another driver onto this back end; the suite closes it. Without the trait [Namespaces] it is only asked
	// for muster.DefaultNamespace.
	Open func(tb testing.TB, namespace string) muster.Driver

	// Forget makes the back end drop the lease of k, as if its owner had died long ago. Where one lease holds all that a
	// driver registered, all of it goes.
	Forget func(tb testing.TB, k muster.Key)

	// Interrupt cuts every driver off from the back end, by refusal or by silence, until restore is called. The back end
	// itself goes on, its clock too.
	Interrupt func(tb testing.TB) (restore func())

	// Restart stops the back end and starts it again with what it keeps on disk, registrations included.
	Restart func(tb testing.TB)

	// Wipe stops the back end and starts it again with nothing.
	Wipe func(tb testing.TB)

	// Plant writes an entry beside the instances of that service, in the default namespace, that the driver cannot read.
	Plant func(tb testing.TB, service string)
}

// Trait is something that a layout holds, a back end can do or a driver implements.
type Trait string

// What the layout holds of an instance. The suite compares exactly the fields that a harness does not lack.
const (
	Status        Trait = "status"         // Instance.Status; without it every instance reads as Up
	Zone          Trait = "zone"           // Instance.Zone
	Version       Trait = "version"        // Instance.Version
	Tier          Trait = "tier"           // Instance.Tier
	Weight        Trait = "weight"         // Instance.Weight, with nil apart from 10
	Metadata      Trait = "metadata"       // Instance.Metadata, at least 8 KiB of it
	ManyEndpoints Trait = "many endpoints" // all of Instance.Endpoints in order, not only the first
	Started       Trait = "started"        // Instance.Started, to the millisecond
	Registered    Trait = "registered"     // Instance.Registered, to the second
	Owner         Trait = "owner"          // Instance.Owner, and with it who holds a key
	ServiceCase   Trait = "service case"   // Instance.Service as it was written, not only folded
	FreeIDs       Trait = "free ids"       // any Instance.ID; without it the ID is the first endpoint's host:port
)

// What can be done to the back end, and what it tells.
const (
	Forgetting   Trait = "forgetting"   // Backend.Forget
	Interrupting Trait = "interrupting" // Backend.Interrupt
	Restarting   Trait = "restarting"   // Backend.Restart
	Wiping       Trait = "wiping"       // Backend.Wipe
	Planting     Trait = "planting"     // Backend.Plant
	Namespaces   Trait = "namespaces"   // more than one of them on a back end
	OwnLease     Trait = "own lease"    // a lease per instance that nothing but Renew extends
	LostSignal   Trait = "lost signal"  // Lease.Lost is not nil
)

// The optional powers of drivers.
const (
	Listing        Trait = "listing"         // muster.Lister
	Removing       Trait = "removing"        // muster.Remover
	Leaving        Trait = "leaving"         // muster.Leaver
	Routing        Trait = "routing"         // muster.Router
	StatusOverride Trait = "status override" // muster.StatusSetter
	Intents        Trait = "intents"         // muster.IntentStore
	IntentWeight   Trait = "intent weight"   // Intent.Weight
	IntentText     Trait = "intent text"     // Intent.Note and Intent.Why
	IntentExpiry   Trait = "intent expiry"   // Intent.Until, honoured by the back end: Terms().Expires
	Auditing       Trait = "auditing"        // muster.Auditor
)

func (h *Harness) has(x Trait) bool {
	_, lacks := h.Lacks[x]
	return !lacks
}

// alive is how long a Watch may be silent.
func (h *Harness) alive() time.Duration {
	switch {
	case h.Alive > 0:
		return h.Alive
	case h.Lag > 0:
		return 2 * h.Lag
	}
	return 10 * time.Second
}

// margin is what a busy machine may add to any time that the contract bounds.
func (h *Harness) margin() time.Duration {
	if h.Exact {
		return time.Millisecond
	}
	return 5 * time.Second
}

// grace is what a busy machine may add to the second within which a method must return.
func (h *Harness) grace() time.Duration {
	if h.Exact {
		return time.Millisecond
	}
	return time.Second
}

// lasting is a lease that does not run out in the middle of a subtest.
func (h *Harness) lasting() time.Duration { return max(10*h.TTL, time.Minute) }

// lies compares what the harness claims with what the back end and its driver show.
func (h *Harness) lies(b Backend, d muster.Driver) []string {
	var lies []string
	check := func(x Trait, there bool, where string) {
		reason, lacks := h.Lacks[x]
		switch {
		case there && lacks:
			lies = append(lies, fmt.Sprintf("Lacks says %q is missing (%s), but %s is there", x, reason, where))
		case !there && !lacks:
			lies = append(lies, fmt.Sprintf("%s is not there, and Lacks gives no reason under %q", where, x))
		case lacks && reason == "":
			lies = append(lies, fmt.Sprintf("Lacks gives no reason for %q", x))
		}
	}
	check(Forgetting, b.Forget != nil, "Backend.Forget")
	check(Interrupting, b.Interrupt != nil, "Backend.Interrupt")
	check(Restarting, b.Restart != nil, "Backend.Restart")
	check(Wiping, b.Wipe != nil, "Backend.Wipe")
	check(Planting, b.Plant != nil, "Backend.Plant")
	_, ok := d.(muster.Lister)
	check(Listing, ok, "muster.Lister")
	_, ok = d.(muster.Remover)
	check(Removing, ok, "muster.Remover")
	_, ok = d.(muster.Leaver)
	check(Leaving, ok, "muster.Leaver")
	_, ok = d.(muster.Router)
	check(Routing, ok, "muster.Router")
	_, ok = d.(muster.StatusSetter)
	check(StatusOverride, ok, "muster.StatusSetter")
	_, ok = d.(muster.Auditor)
	check(Auditing, ok, "muster.Auditor")
	intents, ok := d.(muster.IntentStore)
	check(Intents, ok, "muster.IntentStore")
	if ok {
		check(IntentExpiry, intents.Terms().Expires, "Terms().Expires")
	}
	return lies
}
