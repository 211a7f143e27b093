package eurekaserver_test

import (
	_ "embed" // for the table of cases
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

//go:embed testdata/cases
var caseTable string

// TestConformance runs the test of each number in testdata/cases. A number without a test fails, and so does a test without one.
func TestConformance(t *testing.T) {
	tests := map[string]func(*testing.T){
		"GoldenDocuments":                  testGoldenDocuments,
		"AcceptDecidesTheForm":             testAcceptDecidesTheForm,
		"GzipOnlyIfAccepted":               testGzipOnlyIfAccepted,
		"CompactIfAsked":                   testCompactIfAsked,
		"PathsInEveryForm":                 testPathsInEveryForm,
		"RegistrationMatrix":               testRegistrationMatrix,
		"ArraysInMetadataAreRefusedAtOnce": testArraysInMetadataAreRefusedAtOnce,
		"MalformedBodiesAreRefused":        testMalformedBodiesAreRefused,
		"ValidationTextsInOrder":           testValidationTextsInOrder,
		"NotFoundHasNoBody":                testNotFoundHasNoBody,
		"DirtyTimestampOfHeartbeats":       testDirtyTimestampOfHeartbeats,
		"DirtyTimestampOfRegistrations":    testDirtyTimestampOfRegistrations,
		"LeaseLastsDurationAndGrace":       testLeaseLastsDurationAndGrace,
		"HeldInstancesAreListedAndRevive":  testHeldInstancesAreListedAndRevive,
		"EverybodyComesBackAfterARestart":  testEverybodyComesBackAfterARestart,
		"OverrideStaysOverRegistrations":   testOverrideStaysOverRegistrations,
		"OverrideRemoved":                  testOverrideRemoved,
		"BadStatusIsNoOverride":            testBadStatusIsNoOverride,
		"OutOfServiceSticks":               testOutOfServiceSticks,
		"OverridesAreOfOneApplication":     testOverridesAreOfOneApplication,
		"CancelRemovesTheOverride":         testCancelRemovesTheOverride,
		"OverrideLivesAsLongAsItsInstance": testOverrideLivesAsLongAsItsInstance,
		"EveryStatusChangeIsInTheDelta":    testEveryStatusChangeIsInTheDelta,
		"DeltaHasTheLatestActionOfEach":    testDeltaHasTheLatestActionOfEach,
		"HashIsOrderedByName":              testHashIsOrderedByName,
		"BigListsAndManyAtOnce":            testBigListsAndManyAtOnce,
		"VirtualAddresses":                 testVirtualAddresses,
		"RegionsAreIgnored":                testRegionsAreIgnored,
		"MetadataIsAdded":                  testMetadataIsAdded,
		"NothingIsReadWhileLoading":        testNothingIsReadWhileLoading,
	}
	listed, numbers := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(caseTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		number, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		numbers[number] = true
		if shownElsewhere(t, number, name) || listed[name] {
			continue
		}
		test := tests[name]
		if test == nil {
			t.Errorf("case %s has no test %q", number, name)
			continue
		}
		listed[name] = true
		t.Run(number+" "+name, test)
	}
	for n := 1; n <= lastCase; n++ {
		if !numbers[strconv.Itoa(n)] {
			t.Errorf("case %d is not in the table", n)
		}
	}
	for name := range tests {
		if !listed[name] {
			t.Errorf("test %s is for no case", name)
		}
	}
}

// lastCase is the number of the conformance list's last case.
const lastCase = 51

// shownElsewhere reports whether a case is another package's or a later one; it makes sure that the test named there exists.
func shownElsewhere(t *testing.T, number, name string) bool {
	if why, later := strings.CutPrefix(name, "later: "); later {
		if why == "" {
			t.Errorf("case %s is later, and nothing says why", number)
		}
		return true
	}
	where, ok := strings.CutPrefix(name, "in ")
	if !ok {
		return false
	}
	room, test, _ := strings.Cut(where, ": ")
	test, _, _ = strings.Cut(test, " ")
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(room), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	t.Errorf("case %s: %s has no %s", number, room, test)
	return true
}

// Cases 1 and 2: what Netflix's codecs write, end to end. Only the times that the server sets may differ.
func testGoldenDocuments(t *testing.T) {
	b := newBench(t, store.Options{})
	for _, c := range []struct{ file, accept, size string }{
		{"empty.json", "application/json", ""}, {"empty.xml", "application/xml", ""}, {"empty-compact.json", "application/json", "compact"},
	} {
		got := b.want(200, "GET", "/eureka/apps", "Accept", c.accept, "X-Eureka-Accept", c.size)
		if want := golden(t, c.file); got.body != want {
			t.Errorf("%s:\n got %s\nwant %s", c.file, got.body, want)
		}
	}
	list, err := eurekawire.DecodeApplications("json", []byte(golden(t, "full.json")))
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range list.Apps[0].Instances {
		b.register(in)
	}
	for _, c := range []struct{ path, file, accept, size string }{
		{"apps", "full.json", "application/json", "full"}, {"apps", "full.xml", "", ""},
		{"apps", "compact.json", "application/json", "compact"}, {"apps", "compact.xml", "application/xml", "compact"},
		{"apps/app1/i-1", "instance.json", "application/json", ""},
	} {
		got := b.want(200, "GET", "/eureka/"+c.path, "Accept", c.accept, "X-Eureka-Accept", c.size)
		if want := golden(t, c.file); timeless(got.body) != timeless(want) {
			t.Errorf("%s as %s:\n got %s\nwant %s", c.path, c.file, got.body, want)
		}
	}
	got := b.want(200, "GET", "/eureka/apps/APP1", "Accept", "application/json")
	if want := golden(t, "application-prefix.json"); !strings.HasPrefix(timeless(got.body), timeless(want)) {
		t.Errorf("application:\n got %s\nwant %s…", got.body, want)
	}
}

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "eurekawire", "testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// timeless replaces the times that the server sets.
func timeless(s string) string {
	return regexp.MustCompile(`((?:registration|lastRenewal|serviceUp|lastUpdated)Timestamp(?:":"?|>))\d+`).ReplaceAllString(s, "${1}T")
}

// Case 15, in muster's terms: the duration and one interval of grace.
func testLeaseLastsDurationAndGrace(t *testing.T) {
	for _, c := range []struct{ renewal, duration, seconds int }{
		{30, 90, 120}, {30, 0, 120}, {30, -5, 120}, {0, 0, 120}, {1, 3, 4}, {30, 3, 6}, {5, 1, 2}, {1 << 30, 1 << 30, 24 * 3600},
	} {
		lease := eurekawire.Lease{RenewalIntervalSecs: c.renewal, DurationSecs: c.duration}
		if got := eurekaserver.TTL(lease); got != time.Duration(c.seconds)*time.Second {
			t.Errorf("%+v lives %v, want %d s", lease, got, c.seconds)
		}
		if c.seconds > 3600 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, store.Options{Preserve: store.Preservation{Off: true}})
			in := ordinary("ORDERS", "i1")
			in.Lease = lease
			b.register(in)
			ttl := time.Duration(c.seconds) * time.Second
			time.Sleep(ttl / 2)
			b.want(200, "PUT", "/eureka/apps/ORDERS/i1")
			time.Sleep(ttl - time.Millisecond)
			b.want(200, "GET", "/eureka/apps/ORDERS/i1")
			time.Sleep(ttl/4 + 2*time.Second) // the store looks a little later
			b.want(404, "GET", "/eureka/apps/ORDERS/i1")
			b.want(404, "PUT", "/eureka/apps/ORDERS/i1")
		})
	}
}

// Case 19: what is held by self-preservation is in the list and alone, and a heartbeat brings it back.
func testHeldInstancesAreListedAndRevive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store.Options{})
		for i := range 40 {
			b.register(ordinary("ORDERS", fmt.Sprintf("i%02d", i)))
		}
		time.Sleep(10 * time.Minute)
		if st := b.store.State(); !st.Preserving || st.Overdue != 40 {
			t.Fatalf("self-preservation does not hold: %+v", st)
		}
		if n := len(b.list("apps").Apps[0].Instances); n != 40 {
			t.Errorf("%d listed, want 40", n)
		}
		b.want(200, "GET", "/eureka/apps/ORDERS/i07")
		b.want(200, "GET", "/eureka/instances/i07")
		b.want(200, "PUT", "/eureka/apps/ORDERS/i07")
		if st := b.store.State(); st.Overdue != 39 {
			t.Errorf("%d overdue after a heartbeat, want 39", st.Overdue)
		}
	})
}

// Case 20: a server that lost everything gets it back by 404 and registration.
func testEverybodyComesBackAfterARestart(t *testing.T) {
	b := newBench(t, store.Options{})
	for i := range 1000 {
		id := fmt.Sprintf("i%d", i)
		b.want(404, "PUT", "/eureka/apps/ORDERS/"+id+"?status=UP&lastDirtyTimestamp=1000")
		b.register(ordinary("ORDERS", id))
		b.want(200, "PUT", "/eureka/apps/ORDERS/"+id+"?status=UP&lastDirtyTimestamp=1000")
	}
	if st := b.store.State(); st.Instances != 1000 || st.Preserving {
		t.Errorf("%d instances, preserving %v: %s", st.Instances, st.Preserving, st.Why)
	}
	if got := b.list("apps").HashCode; got != "UP_1000_" {
		t.Errorf("hash %s", got)
	}
}

// Case 32.
func testHashIsOrderedByName(t *testing.T) {
	b := newBench(t, store.Options{})
	if got := b.list("apps").HashCode; got != "" {
		t.Errorf("hash of nothing is %q", got)
	}
	n := 0
	for _, c := range []struct {
		status eurekawire.Status
		count  int
	}{{eurekawire.Up, 10}, {eurekawire.Unknown, 1}, {eurekawire.Starting, 1}, {eurekawire.OutOfService, 2}, {eurekawire.Down, 1}} {
		for range c.count {
			n++
			in := ordinary("ORDERS", fmt.Sprintf("i%d", n))
			in.Status = c.status
			b.register(in)
		}
	}
	const want = "DOWN_1_OUT_OF_SERVICE_2_STARTING_1_UNKNOWN_1_UP_10_"
	for _, path := range []string{"apps", "apps/delta"} {
		if got := b.list(path).HashCode; got != want {
			t.Errorf("hash in %s is %q, want %q", path, got, want)
		}
	}
}

// Case 34.
func testVirtualAddresses(t *testing.T) {
	b := newBench(t, store.Options{})
	one, two := ordinary("ORDERS", "i1"), ordinary("ORDERS", "i2")
	one.VIPAddress, one.SecureVIPAddress = "a,b", "s"
	two.VIPAddress = "b"
	b.register(one)
	b.register(two)
	for path, want := range map[string]string{
		"vips/a": "ORDERS/i1:ADDED:UP", "vips/b": "ORDERS/i1:ADDED:UP ORDERS/i2:ADDED:UP", "vips/%62": "ORDERS/i1:ADDED:UP ORDERS/i2:ADDED:UP",
		"vips/A": "", "vips/a,b": "", "vips/orders": "", "svips/s": "ORDERS/i1:ADDED:UP", "svips/orders": "ORDERS/i2:ADDED:UP", "svips/a": "", "vips/s": "",
	} {
		if got := ids(b.list(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	b.want(200, "DELETE", "/eureka/apps/ORDERS/i1")
	if got := ids(b.list("vips/b")); got != "ORDERS/i2:ADDED:UP" {
		t.Errorf("vips/b after one left: %q", got)
	}
	if _, err := b.store.Update(muster.Key{Namespace: "default", Service: "pay", ID: "n1"}, func(*store.Record) (*store.Record, error) {
		return native("pay", "n1"), nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := ids(b.list("vips/pay")); got != "PAY/n1:ADDED:UP" {
		t.Errorf("an instance that another face registered: %q", got)
	}
}

// Case 35, without regions.
func testRegionsAreIgnored(t *testing.T) {
	b := newBench(t, store.Options{})
	b.register(ordinary("ORDERS", "i1"))
	for _, path := range []string{"/eureka/apps/", "/eureka/vips/orders"} {
		plain := b.want(200, "GET", path)
		for _, q := range []string{"?regions=us-east-1,eu", "?regions=EU", "?regions="} {
			if got := b.want(200, "GET", path+q); got.body != plain.body {
				t.Errorf("%s%s differs from %s", path, q, path)
			}
		}
	}
}

// Case 36.
func testMetadataIsAdded(t *testing.T) {
	b := newBench(t, store.Options{})
	b.register(ordinary("ORDERS", "i1"))
	b.want(200, "PUT", "/eureka/apps/ORDERS/i1/metadata?a=1&a=2&%E4%B8%AD=%F0%9F%98%80&empty=&zone=z2&muster.weight=0")
	in := b.instance("ORDERS", "i1")
	if got, want := fmt.Sprint(in.Metadata), "[{management.port 8080} {zone z2} {a 1} {中 😀} {empty } {muster.weight 0}]"; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if in.Status != eurekawire.OutOfService || in.LastDirty != 1000 {
		t.Errorf("status %s, dirty %d; want a weight of 0 to be out of service, and the timestamp as it was", in.Status, in.LastDirty)
	}
	if rec := b.store.Get(muster.Key{Namespace: "default", Service: "orders", ID: "i1"}); rec.Instance.Zone != "z2" {
		t.Errorf("zone %q, want z2", rec.Instance.Zone)
	}
	if got := ids(b.list("apps/delta")); got != "ORDERS/i1:ADDED:OUT_OF_SERVICE" {
		t.Errorf("delta %s", got)
	}
	b.want(404, "PUT", "/eureka/apps/ORDERS/i2/metadata?a=1")
	b.want(400, "PUT", "/eureka/apps/ORDERS/i1/metadata?a=%zz")
	b.want(400, "PUT", "/eureka/apps/ORDERS/i1/metadata?muster.weight=heavy")
	b.register(ordinary("ORDERS", "i1"))
	if got := len(b.instance("ORDERS", "i1").Metadata); got != 2 {
		t.Errorf("%d entries after registering again, want 2", got)
	}
}

// native returns a record as another face makes one.
func native(service, id string) *store.Record {
	return &store.Record{TTL: 30 * time.Second, Instance: &muster.Instance{
		Namespace: "default", Service: service, ID: id, Owner: "o1", Status: muster.Up, Zone: "z9", Version: "1.2",
		Endpoints: []muster.Endpoint{{Scheme: "https", Address: "10.0.0.9:8443"}, {Scheme: "http", Address: "10.0.0.9:8080"}},
		Metadata:  map[string]string{"team": "a"}, Weight: new(7),
	}}
}
