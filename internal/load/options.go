package load

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Options says what load to put on what. Target.Addr must be set; everything else has a default.
type Options struct {
	Target      Target
	Namespace   string        // begins with Prefix; "" makes a new one
	Protocol    Protocol      // in which the fleet registers and keeps itself alive
	Instances   int           // 0 means 1000
	Services    int           // over which they are spread; 0 means a tenth of the instances, at least 1
	Connections int           // clients, over which they are spread; 0 means 64, or one for each instance
	Interval    time.Duration // between two heartbeats of an instance; 0 means 30s
	TTL         time.Duration // 0 means three intervals
	Rate        float64       // registrations a second; 0: as many as are answered

	Duration time.Duration // how long the load goes on after the registrations; 0 means 30s
	Reads    float64       // lists a second
	ReadAs   Protocol      // whose lists
	Changes  float64       // a second
	Watchers int           // streams of changes; native
	Focus    bool          // lists, streams and changes are of one service, as most clients want them, not of all

	Keep     bool           // leave what was registered where it is: the server ends with the benchmark
	Progress func(Progress) // called every second, from one goroutine; nil: nobody looks
}

// Protocol is how the fleet speaks to the server.
type Protocol string

// The protocols. "" is the native one.
const (
	Native Protocol = "native"
	Eureka Protocol = "eureka"
)

func (p Protocol) speak() protocol {
	if p == Eureka {
		return eureka{}
	}
	return native{}
}

// Bounds of what is asked for.
const (
	MaxInstances   = store.MaxInstances
	MaxConnections = 20_000
	MaxWatchers    = 20_000
	MaxRate        = 1e6 // of anything, a second

	maxDuration = 24 * time.Hour // of the registrations and of the load, each
)

// normal gives every field its value.
//
// Errors: Invalid.
func (o Options) normal() (Options, error) {
	bad := func(format string, args ...any) (Options, error) {
		return o, &muster.Error{Op: "bench", Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
	}
	if o.Namespace == "" {
		o.Namespace = newNamespace()
	}
	if err := CheckNamespace(o.Namespace); err != nil {
		return o, err
	}
	o.Protocol, o.ReadAs = cmp.Or(o.Protocol, Native), cmp.Or(o.ReadAs, o.Protocol, Native)
	for _, p := range []Protocol{o.Protocol, o.ReadAs} {
		if p != Native && p != Eureka {
			return bad("protocol %q is neither %s nor %s", p, Native, Eureka)
		}
	}
	o.Instances = cmp.Or(o.Instances, 1000)
	if o.Instances < 1 || o.Instances > MaxInstances {
		return bad("%d instances; 1 to %d are possible", o.Instances, MaxInstances)
	}
	o.Services = cmp.Or(o.Services, max(1, o.Instances/10))
	if o.Services < 1 || o.Services > o.Instances {
		return bad("%d services of %d instances; at least one instance each is meant", o.Services, o.Instances)
	}
	o.Connections = cmp.Or(o.Connections, min(64, o.Instances))
	if o.Connections < 1 || o.Connections > min(o.Instances, MaxConnections) {
		return bad("%d connections of %d instances; 1 to %d are possible", o.Connections, o.Instances, min(o.Instances, MaxConnections))
	}
	o.Interval = cmp.Or(o.Interval, 30*time.Second)
	o.TTL = cmp.Or(o.TTL, 3*o.Interval)
	if o.Interval < 100*time.Millisecond || o.TTL < o.Interval || o.TTL > store.MaxTTL {
		return bad("heartbeats every %v for leases of %v; at least 100ms, and leases of one to %v are possible", o.Interval, o.TTL, store.MaxTTL)
	}
	o.Duration = cmp.Or(o.Duration, 30*time.Second)
	if o.Duration < 0 || o.Duration > maxDuration {
		return bad("a duration of %v; at most %v are possible", o.Duration, maxDuration)
	}
	for _, r := range []float64{o.Rate, o.Reads, o.Changes, float64(o.Instances) / o.Interval.Seconds()} {
		if !(r >= 0 && r <= MaxRate) { // NaN is neither
			return bad("%g a second; 0 to %g are possible", r, MaxRate)
		}
	}
	if o.Rate > 0 && float64(o.Instances)/o.Rate > maxDuration.Seconds() {
		return bad("%d registrations at %g a second take longer than %v", o.Instances, o.Rate, maxDuration)
	}
	if o.Watchers < 0 || o.Watchers > MaxWatchers {
		return bad("%d watchers; at most %d are possible", o.Watchers, MaxWatchers)
	}
	if o.Target.Addr == "" {
		return o, &muster.Error{Op: "bench", Code: muster.Invalid, Err: errors.New("no server is named")}
	}
	return o, nil
}

// focus is the service that reads, streams and changes are of; "": all.
func (o *Options) focus(f *fleet) string {
	if o.Focus {
		return f.service(0)
	}
	return ""
}
