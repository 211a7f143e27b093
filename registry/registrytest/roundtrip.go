package registrytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

func roundTripSubtests() []subtest {
	return []subtest{
		{"InstanceRoundTrip", nil, instanceRoundTrip},
		{"RegisterIgnoresWhatTheBackendSets", nil, registerIgnoresWhatTheBackendSets},
		{"IDsAreKept", []Trait{FreeIDs}, idsAreKept},
		{"ServiceNamesFoldCase", nil, serviceNamesFoldCase},
	}
}

// trip is an instance that some layout is likely to spoil, as a change to a plain one.
type trip struct {
	name   string
	change func(*muster.Instance)
}

func trips() []trip {
	weight := func(n int) func(*muster.Instance) { return func(in *muster.Instance) { in.Weight = &n } }
	status := func(x muster.Status) func(*muster.Instance) { return func(in *muster.Instance) { in.Status = x } }
	service := func(x string) func(*muster.Instance) { return func(in *muster.Instance) { in.Service = x } }
	meta := func(m map[string]string) func(*muster.Instance) { return func(in *muster.Instance) { in.Metadata = m } }
	address := func(x ...muster.Endpoint) func(*muster.Instance) {
		return func(in *muster.Instance) { in.Endpoints = x }
	}
	return []trip{
		{"plain", func(*muster.Instance) {}},
		{"IPv6", address(muster.Endpoint{Scheme: "http", Address: "[2001:db8::7]:8080"})},
		{"a host name", address(muster.Endpoint{Scheme: "http", Address: "orders-7.example.internal:80"})},
		{"several endpoints", address(
			muster.Endpoint{Scheme: "https", Address: "10.9.0.1:8443"},
			muster.Endpoint{Scheme: "http", Address: "10.9.0.1:8080"},
			muster.Endpoint{Scheme: "thrift", Address: "[2001:db8::9]:9090"},
			muster.Endpoint{Scheme: "http", Address: "10.9.0.2:8080"})},
		{"no weight", func(in *muster.Instance) { in.Weight = nil }},
		{"weight 0", weight(0)},
		{"weight 1", weight(1)},
		{"weight 10, the default", weight(muster.DefaultWeight)},
		{"weight 10000", weight(muster.MaxWeight)},
		{"status unknown", status(muster.Unknown)},
		{"status starting", status(muster.Starting)},
		{"status up", status(muster.Up)},
		{"status out_of_service", status(muster.OutOfService)},
		{"status down", status(muster.Down)},
		{"empty metadata", meta(map[string]string{})},
		{"UTF-8 metadata", meta(map[string]string{"größe": "1 µm", "名前": "注文", "emoji": "🐘", "k e y": " spaces "})},
		{"awkward metadata", meta(map[string]string{
			"a/b": `{"json": "<xml>&amp;"}`, "a.b": "", "=": "a=b&c=d", "%2F": "%00", "quote": "\"'`\\", "lines": "a\nb\r\n\tc", "@class": "$"})},
		{"8 KiB metadata", meta(map[string]string{"long": strings.Repeat("0123456789abcdef", 512)})},
		{"many labels", func(in *muster.Instance) {
			in.Metadata = map[string]string{}
			for i := range 100 {
				in.Metadata[fmt.Sprintf("label-%d", i)] = fmt.Sprint(i)
			}
		}},
		{"every field", func(in *muster.Instance) {
			in.Zone, in.Version, in.Tier, in.Weight = "eu-west-1a", "2.4.1-rc.1+build.7", 3, new(250)
			in.Started = time.Date(2024, 2, 29, 23, 59, 59, 987e6, time.UTC)
			in.Metadata = map[string]string{"team": "checkout"}
		}},
		{"text in zone and version", func(in *muster.Instance) { in.Zone, in.Version = "Zürich / Süd", "v1 <β>" }},
		{"dots in the name", service("trip.orders.v2")},
		{"underscores in the name", service("trip_orders_v2")},
		{"dashes in the name", service("trip-orders-v2")},
		{"capitals in the name", service("TripOrders")},
		{"a long name", service("trip" + strings.Repeat("s", muster.MaxServiceName-4))},
		{"a one-letter name", service("t")},
	}
}

// What is registered comes back as it was: in the lease, and in the table of another driver. Fields that the layout does
// not hold are not compared. No metadata and empty metadata are the same; Unknown status is a status like the others.
func instanceRoundTrip(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	for i, trip := range trips() {
		in := s.instance(fmt.Sprintf("trip-%d", i), i+1)
		trip.change(in)
		if !s.h.has(FreeIDs) {
			in.ID = in.Endpoints[0].Address
		}
		roundTrip(s, d, w, trip.name, in)
	}
}

// Registered, Override and Intent are the back end's: what an instance brings along in them is not taken over.
func registerIgnoresWhatTheBackendSets(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	in := s.instance("orders", 1)
	in.Registered = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	in.Override = muster.OutOfService
	in.Intent = &muster.Intent{Enabled: new(false), Rev: 7}
	roundTrip(s, d, w, "an instance as it was read", in)
	if store, ok := d.(muster.IntentStore); ok {
		if it, err := store.Intent(s.context(), in.Key()); it != nil || err != nil {
			s.Errorf("after a registration with an intent, Intent is %s, %v; want none", text(it), err)
		}
	}
}

func roundTrip(s *scene, d muster.Driver, w *recorder, name string, in *muster.Instance) {
	s.Helper()
	before := time.Now()
	lease := s.register(d, in)
	after := time.Now()
	w.shows(in.Service, in)
	got := w.last().Snapshot(in.Service).Instance(in.ID)
	for where, x := range map[string]*muster.Instance{"the lease": lease.Instance, "the table": got} {
		for _, fault := range s.h.differences(x, in) {
			s.Errorf("%s: in %s %s", name, where, fault)
		}
		const grain = time.Second + time.Millisecond
		if at := x.Registered; s.h.has(Registered) && (at.Before(before.Add(-grain)) || at.After(after.Add(grain))) {
			s.Errorf("%s: in %s Registered is %v, want between %v and %v", name, where, at, before, after)
		}
	}
}

// differences lists the fields that the layout holds and that got has otherwise than want.
func (h *Harness) differences(got, want *muster.Instance) (out []string) {
	field := func(x Trait, name string, same bool, got, want any) {
		if !same && (x == "" || h.has(x)) {
			out = append(out, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	field("", "Namespace", muster.EqualFold(got.Namespace, want.Namespace), got.Namespace, want.Namespace)
	field("", "Service", muster.EqualFold(got.Service, want.Service), got.Service, want.Service)
	field(ServiceCase, "Service", got.Service == want.Service, got.Service, want.Service)
	field("", "ID", got.ID == want.ID, got.ID, want.ID)
	field(ManyEndpoints, "Endpoints", slices.Equal(got.Endpoints, want.Endpoints), got.Endpoints, want.Endpoints)
	first, _ := got.Endpoint("")
	field("", "first endpoint", first == want.Endpoints[0], first, want.Endpoints[0])
	status := want.Status
	if !h.has(Status) {
		status = muster.Up
	}
	field("", "Status", got.Status == status, got.Status, status)
	field(Zone, "Zone", got.Zone == want.Zone, got.Zone, want.Zone)
	field(Version, "Version", got.Version == want.Version, got.Version, want.Version)
	field(Tier, "Tier", got.Tier == want.Tier, got.Tier, want.Tier)
	field(Weight, "Weight", text(got.Weight) == text(want.Weight), text(got.Weight), text(want.Weight))
	field(Metadata, "Metadata", maps.Equal(got.Metadata, want.Metadata), text(got.Metadata), text(want.Metadata))
	const ms = time.Millisecond
	field(Started, "Started", got.Started.Truncate(ms).Equal(want.Started.Truncate(ms)), got.Started, want.Started)
	field(Owner, "Owner", got.Owner == want.Owner, got.Owner, want.Owner)
	field("", "Override", got.Override == muster.Unknown, got.Override, muster.Unknown)
	field("", "Intent", got.Intent == nil, text(got.Intent), "null")
	return out
}

// IDs are any text and are kept exactly: what a back end's keys cannot hold is escaped. IDs that differ in case only are
// two instances.
func idsAreKept(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	var all []*muster.Instance
	for n, id := range []string{
		"a/b", "a%2Fb", "/", "//", ".", "..", "a/../b", "%", "%00", "100%", "a:b", "host:8080", "[::1]:8080", "a b", " ", "a+b",
		"a?b=c&d#e", `a\b`, `"a"`, "'a'", "<a>", "{a}", "a,b;c|d", "a*", "~a", "$a", "@a", "größe", "注文-1", "🐘", "Case", "case",
		"intent", "x/intent", "-", "_", "=", strings.Repeat("i", muster.MaxID), strings.Repeat("/", 200), strings.Repeat("é", muster.MaxID/2),
	} {
		in := s.instance("ids", n)
		in.ID = id
		s.register(d, in)
		all = append(all, in)
	}
	w.shows("ids", all...)
	s.wantLapses(s.renew(d, all...), nil)
	for i, in := range all {
		got := w.last().Snapshot("ids").Instance(in.ID)
		for _, fault := range s.h.differences(got, in) {
			s.Errorf("ID %q: %s", in.ID, fault)
		}
		if i%2 == 0 {
			s.deregister(d, in)
		}
	}
	var rest []*muster.Instance
	for i, in := range all {
		if i%2 == 1 {
			rest = append(rest, in)
		}
	}
	w.shows("ids", rest...)
}

// Names that differ in ASCII case only are one service, and with the same ID one instance. Each instance keeps the name as
// it wrote it, if the layout holds that.
func serviceNamesFoldCase(s *scene) {
	d := s.open()
	w := s.watch(s.open())
	a, b := s.instance("Orders", 1), s.instance("ORDERS", 2)
	s.register(d, a)
	s.register(d, b)
	w.shows("orders", a, b)
	for _, in := range []*muster.Instance{a, b} {
		for _, fault := range s.h.differences(w.last().Snapshot("oRdErS").Instance(in.ID), in) {
			s.Errorf("%s: %s", in.Service, fault)
		}
	}
	again := a.Clone()
	again.Service = "oRDERS"
	s.wantLapses(s.renew(d, again), nil)
	s.register(d, again)
	s.settle()
	w.shows("orders", a, b)
	s.deregister(d, again)
	w.shows("orders", b)
}
