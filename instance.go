package muster

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Instance is one running copy of a service. A published instance is immutable; use [Instance.Clone] to change one.
type Instance struct {
	Namespace string
	Service   string
	ID        string // unique within the service; where a back end chooses keys by address, host:port
	Endpoints []Endpoint
	Status    Status            // as the instance reports it
	Zone      string            // placement label; "" is no zone
	Version   string            // of the software
	Tier      int               // 0 is used first; higher ones when lower ones are short
	Weight    *int              // share of traffic relative to the others, 0..10000; nil means DefaultWeight
	Metadata  map[string]string // free labels, at most 16 KiB; keys under "muster." are ours
	Started   time.Time         // when the process started, as it says; may be zero

	// Set by the back end; ignored on registration.

	Registered time.Time // when this lease began
	Override   Status    // the back end's own status override (Eureka's); Unknown means none
	Intent     *Intent   // what an operator wants; nil means nothing
	Static     bool      // it has no lease: it stays until an operator removes it, alive or not

	// Owner is the random name of the Registration that holds the key; the last one to register takes a key over.
	Owner string
}

// DefaultWeight is the weight of an instance that states none.
const DefaultWeight = 10

// Endpoint is one way to reach an instance.
type Endpoint struct {
	Scheme  string // "http", "https", "thrift", "grpc", …: lower case
	Address string // host:port, IPv6 in brackets
}

// String reads "http://10.0.0.7:8080".
func (e Endpoint) String() string { return e.Scheme + "://" + e.Address }

// ParseEndpoint reads "scheme://host:port"; the host may be empty, to be filled on registration.
//
// Errors: Invalid.
func ParseEndpoint(s string) (Endpoint, error) {
	scheme, addr, ok := strings.Cut(s, "://")
	if !ok {
		return Endpoint{}, invalid("endpoint %q is not scheme://host:port", s)
	}
	e := Endpoint{Fold(scheme), strings.TrimSuffix(addr, "/")}
	return e, e.check(false)
}

// Key returns the instance's key.
func (in *Instance) Key() Key { return Key{in.Namespace, in.Service, in.ID} }

// Endpoint returns the first endpoint with that scheme, or simply the first for "". Of several schemes, as in "http,https",
// the first that the instance has counts.
func (in *Instance) Endpoint(scheme string) (Endpoint, bool) {
	for wanted := range strings.SplitSeq(scheme, ",") {
		for _, e := range in.Endpoints {
			if wanted == "" || e.Scheme == wanted {
				return e, true
			}
		}
	}
	return Endpoint{}, false
}

// Clone returns a copy that shares nothing with in but its intent, which is immutable too.
func (in *Instance) Clone() *Instance {
	out := *in
	out.Endpoints = slices.Clone(in.Endpoints)
	out.Metadata = maps.Clone(in.Metadata)
	if in.Weight != nil {
		out.Weight = new(*in.Weight)
	}
	return &out
}

// Validate says what is wrong with an instance that is about to be registered: names, endpoints, weight, sizes.
//
// Errors: Invalid.
func (in *Instance) Validate() error {
	if err := CheckNamespace(in.Namespace); err != nil {
		return err
	}
	if err := CheckService(in.Service); err != nil {
		return err
	}
	if err := CheckID(in.ID); err != nil {
		return err
	}
	if n := len(in.Endpoints); n == 0 || n > MaxEndpoints {
		return invalid("%d endpoints, 1 to %d are allowed", n, MaxEndpoints)
	}
	for _, e := range in.Endpoints {
		if err := e.check(true); err != nil {
			return err
		}
	}
	if in.Weight != nil && (*in.Weight < 0 || *in.Weight > MaxWeight) {
		return invalid("weight %d is outside 0..%d", *in.Weight, MaxWeight)
	}
	if in.Tier < 0 || in.Tier > 100 {
		return invalid("tier %d is outside 0..100", in.Tier)
	}
	if int(in.Status) >= len(statusNames) {
		return invalid("%v is not a status", in.Status)
	}
	if err := checkText("zone", in.Zone, MaxZone); err != nil {
		return err
	}
	if err := checkText("version", in.Version, MaxZone); err != nil {
		return err
	}
	if err := checkTime("started", in.Started); err != nil {
		return err
	}
	return checkMetadata(in.Metadata)
}

// checkTime keeps out what RFC 3339, and so JSON, cannot write: in UTC the year must have four digits. A zone's offset can carry
// a time that was read as the last day of 9999 over that edge.
func checkTime(what string, t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return invalid("%s is in the year %d, 0 to 9999 are allowed", what, year)
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	if len(m) > MaxMetadata {
		return invalid("%d metadata entries, at most %d are allowed", len(m), MaxMetadata)
	}
	size := 0
	for k, v := range m {
		if k == "" || len(k) > MaxMetadataKey {
			return invalid("metadata key of %d bytes, 1 to %d are allowed", len(k), MaxMetadataKey)
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return invalid("metadata %q is not UTF-8", k)
		}
		if !plain(v) || !plain(k) || strings.ContainsAny(k, "\t\r\n") {
			return invalid("metadata %q has a control character", k)
		}
		size += len(k) + len(v)
	}
	if size > MaxMetadataBytes {
		return invalid("metadata has %d bytes, at most %d are allowed", size, MaxMetadataBytes)
	}
	return nil
}

// plain reports whether s is UTF-8 without control characters other than tabs and line ends: text that JSON and XML can hold.
func plain(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

func (e Endpoint) check(needHost bool) error {
	if e.Scheme == "" || len(e.Scheme) > 32 {
		return invalid("endpoint %q has no scheme", e)
	}
	for i := range len(e.Scheme) {
		c := e.Scheme[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("+-.", c) >= 0) {
			return invalid("endpoint %q: scheme must be lower-case letters, digits, + - .", e)
		}
	}
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil {
		return invalid("endpoint %q is not scheme://host:port (IPv6 in brackets)", e)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return invalid("endpoint %q: port %q is not a number from 1 to 65535", e, port)
	}
	if len(host) > 253 || strings.ContainsAny(host, " /?#@\"<>\\^`{|}\t\r\n") || !plain(host) {
		return invalid("endpoint %q: %q is not a host", e, host)
	}
	if needHost && wildcard(host) {
		return invalid("endpoint %q names no host that others can reach", e)
	}
	return nil
}

// wildcard reports whether host names no particular machine: empty, 0.0.0.0 or ::.
func wildcard(host string) bool {
	if host == "" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsUnspecified()
}
