package eurekaserver

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// The metadata by which an instance that registers over Eureka says what Eureka has no word for. All of it stays in the metadata too.
const (
	keyZone    = "zone"           // as Spring and python-eureka-client write it; before it comes Amazon's availability-zone
	keyVersion = "muster.version" // muster.Instance.Version
	keyWeight  = "muster.weight"  // muster.Instance.Weight, 0 to 10000
	keyTier    = "muster.tier"    // muster.Instance.Tier
)

const (
	defaultRenewal  = 30 // seconds, where an instance names none
	defaultDuration = 90
)

// TTL is how long an instance lives without a renewal: the duration that it asked for and one renewal interval of grace, the
// latter never more than the duration. So what beats as documented lives as documented, one late beat costs nothing, and nothing
// lives longer than with Netflix's server, where a renewed lease is worth two durations.
func TTL(l eurekawire.Lease) time.Duration {
	duration := bounded(l.DurationSecs, defaultDuration)
	return min(duration+min(interval(l), duration), store.MaxTTL)
}

// interval is the time between renewals that an instance promised.
func interval(l eurekawire.Lease) time.Duration {
	return bounded(l.RenewalIntervalSecs, defaultRenewal)
}

// bounded turns seconds from outside into a duration from 1 s to store.MaxTTL.
func bounded(seconds, fallback int) time.Duration {
	if seconds <= 0 {
		seconds = fallback
	}
	return time.Duration(min(seconds, int(store.MaxTTL/time.Second))) * time.Second
}

// record returns the record of an instance that registers, which [eurekawire.Validate] has accepted. Status and Override of its
// Instance are as the instance says; what they become depends on the record before it.
//
// Errors: Invalid.
func record(namespace string, in *eurekawire.Instance) (*store.Record, error) {
	out := &muster.Instance{
		Namespace: namespace,
		Service:   in.App,
		ID:        in.InstanceID,
		Endpoints: endpoints(in),
		Status:    reported(in.Status),
		Override:  reported(in.OverriddenStatus),
		Metadata:  make(map[string]string, len(in.Metadata)),
	}
	for _, p := range in.Metadata {
		out.Metadata[p.Key] = p.Value
	}
	amazonZone, _ := in.DataCenter.Metadata.Get("availability-zone")
	if err := label(out, amazonZone); err != nil {
		return nil, err
	}
	if err := validate(out); err != nil {
		return nil, err
	}
	if in.Lease.DurationSecs <= 0 {
		in.Lease.DurationSecs = defaultDuration
	}
	if in.Lease.RenewalIntervalSecs <= 0 {
		in.Lease.RenewalIntervalSecs = defaultRenewal
	}
	rec := &store.Record{Instance: out, TTL: TTL(in.Lease), Interval: interval(in.Lease), WireKind: wireKind}
	return rec, setEcho(rec, in)
}

// setEcho encodes what must be given back of in as the record's Wire.
//
// Errors: Invalid (it is too long).
func setEcho(rec *store.Record, in *eurekawire.Instance) error {
	e := echo{Instance: *in, service: muster.Fold(rec.Instance.Service)}
	rec.Wire = e.append(make([]byte, 0, 192))
	if len(rec.Wire) > store.MaxWire {
		return invalid("the URLs and names of %s/%s take %d bytes, at most %d are kept", in.App, in.InstanceID, len(rec.Wire), store.MaxWire)
	}
	rec.Wire = slices.Clip(rec.Wire)
	return nil
}

// endpoints returns http and https as far as their ports are on. Port 0 is what applications without a server send: nobody can
// call them, so they have no endpoint.
func endpoints(in *eurekawire.Instance) (out []muster.Endpoint) {
	host := in.IPAddr
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = in.HostName
	}
	if in.Port.Enabled && in.Port.Number > 0 {
		out = append(out, muster.Endpoint{Scheme: "http", Address: net.JoinHostPort(host, strconv.Itoa(in.Port.Number))})
	}
	if in.SecurePort.Enabled && in.SecurePort.Number > 0 {
		out = append(out, muster.Endpoint{Scheme: "https", Address: net.JoinHostPort(host, strconv.Itoa(in.SecurePort.Number))})
	}
	return out
}

// validate is muster.Instance.Validate, but that an instance need not have an endpoint.
func validate(in *muster.Instance) error {
	if len(in.Endpoints) > 0 {
		return in.Validate()
	}
	probe := *in
	probe.Endpoints = []muster.Endpoint{{Scheme: "http", Address: "localhost:1"}}
	return probe.Validate()
}

// label fills the fields that the metadata speaks of.
//
// Errors: Invalid.
func label(in *muster.Instance, zone string) error {
	if in.Zone = zone; zone == "" {
		in.Zone = in.Metadata[keyZone]
	}
	in.Version = in.Metadata[keyVersion]
	in.Weight, in.Tier = nil, 0
	if w, ok := in.Metadata[keyWeight]; ok {
		n, err := strconv.Atoi(w)
		if err != nil {
			return invalid("metadata %s %.40q is not a whole number from 0 to %d", keyWeight, w, muster.MaxWeight)
		}
		in.Weight = &n
	}
	if t, ok := in.Metadata[keyTier]; ok {
		n, err := strconv.Atoi(t)
		if err != nil {
			return invalid("metadata %s %.40q is not a whole number", keyTier, t)
		}
		in.Tier = n
	}
	return nil
}

// show fills e with a record as Eureka's clients see it. It reuses what e holds and keeps nothing of what it held.
func show(rec *store.Record, e *echo) error {
	in := rec.Instance
	var err error
	if rec.WireKind == wireKind {
		err = e.read(rec.Wire, muster.Fold(in.Service))
	}
	if rec.WireKind != wireKind || err != nil {
		e.foreign(rec)
	}
	e.InstanceID = in.ID
	e.App = strings.ToUpper(in.Service)
	e.Status = word(rec.Effective())
	e.OverriddenStatus = word(in.Override)
	e.LastUpdated = rec.Changed.UnixMilli()
	e.Lease.Registration = in.Registered.UnixMilli()
	e.Lease.LastRenewal = e.LastUpdated
	if at := rec.LastRenewal(); !at.IsZero() {
		e.Lease.LastRenewal = at.UnixMilli()
	}
	e.fillMetadata(in.Metadata)
	return err
}

// foreign fills e for an instance that another face registered.
func (e *echo) foreign(rec *store.Record) {
	in := rec.Instance
	service := muster.Fold(in.Service)
	*e = echo{service: service}
	e.VIPAddress, e.SecureVIPAddress = service, service
	e.DataCenter = eurekawire.DataCenter{Class: eurekawire.DefaultClass, Name: eurekawire.MyOwn}
	e.ActionType = eurekawire.Added
	e.LastDirty = rec.Changed.UnixMilli()
	e.Lease.DurationSecs = max(1, int(rec.TTL/time.Second))
	e.Lease.RenewalIntervalSecs = max(1, int(rec.TTL/3/time.Second))
	if rec.Interval > 0 {
		e.Lease.RenewalIntervalSecs = max(1, int(rec.Interval/time.Second))
	}
	if rec.Instance.Status == muster.Up {
		e.Lease.ServiceUp = in.Registered.UnixMilli()
	}
	e.reach(in)
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		e.Metadata = append(e.Metadata, eurekawire.Pair{Key: k, Value: in.Metadata[k]})
	}
	e.tell(keyZone, in.Zone)
	e.tell(keyVersion, in.Version)
	if in.Weight != nil {
		e.tell(keyWeight, strconv.Itoa(*in.Weight))
	}
	if in.Tier > 0 {
		e.tell(keyTier, strconv.Itoa(in.Tier))
	}
}

// reach fills host, ports and home page from endpoints: http and https where there are such, else the first as the plain port.
func (e *echo) reach(in *muster.Instance) {
	e.Port, e.SecurePort = eurekawire.Port{}, eurekawire.Port{Number: 443}
	plain, hasPlain := in.Endpoint("http")
	secure, hasSecure := in.Endpoint("https")
	if !hasPlain && !hasSecure {
		plain, hasPlain = in.Endpoint("")
	}
	if hasSecure {
		e.HostName, e.SecurePort = split(secure)
		e.Port.Number = e.SecurePort.Number
		e.HomePageURL = "https://" + secure.Address + "/"
	}
	if hasPlain {
		e.HostName, e.Port = split(plain)
		e.HomePageURL = "http://" + plain.Address + "/"
	}
	e.IPAddr = e.HostName
}

// tell adds a label that the metadata does not have.
func (e *echo) tell(key, value string) {
	if _, there := e.Metadata.Get(key); !there && value != "" {
		e.Metadata = append(e.Metadata, eurekawire.Pair{Key: key, Value: value})
	}
}

// fillMetadata gives the names of e's metadata their values. Names that another face removed go, those that it added come last.
func (e *echo) fillMetadata(values map[string]string) {
	found := 0
	kept := e.Metadata[:0]
	for _, p := range e.Metadata {
		v, there := values[p.Key]
		if there {
			p.Value = v
			found++
		} else if p.Value == "" {
			continue
		}
		kept = append(kept, p)
	}
	e.Metadata = kept
	if found == len(values) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if _, there := e.Metadata.Get(k); !there {
			e.Metadata = append(e.Metadata, eurekawire.Pair{Key: k, Value: values[k]})
		}
	}
}

// reported turns a status of Eureka's into one of ours.
func reported(s eurekawire.Status) muster.Status {
	switch s {
	case eurekawire.Up:
		return muster.Up
	case eurekawire.Down:
		return muster.Down
	case eurekawire.Starting:
		return muster.Starting
	case eurekawire.OutOfService:
		return muster.OutOfService
	}
	return muster.Unknown
}

// word turns a status of ours into Eureka's.
func word(s muster.Status) eurekawire.Status {
	switch s {
	case muster.Up:
		return eurekawire.Up
	case muster.Down:
		return eurekawire.Down
	case muster.Starting:
		return eurekawire.Starting
	case muster.OutOfService:
		return eurekawire.OutOfService
	}
	return eurekawire.Unknown
}

// hash returns apps__hashcode for counts by muster.Status.
func hash(counts [5]int) string {
	var c eurekawire.Counts
	for s, n := range counts {
		c.Add(word(muster.Status(s)), n)
	}
	return c.Hash()
}

func split(e muster.Endpoint) (host string, port eurekawire.Port) {
	host, number, err := net.SplitHostPort(e.Address)
	if err != nil {
		return e.Address, eurekawire.Port{}
	}
	port.Number, _ = strconv.Atoi(number)
	port.Enabled = true
	return host, port
}

func urlOf(scheme, host string, port int) string {
	return scheme + host + ":" + strconv.Itoa(port)
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
