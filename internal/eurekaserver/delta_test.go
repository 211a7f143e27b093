package eurekaserver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/eurekaserver"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// Case 13.
func testDirtyTimestampOfHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store.Options{Preserve: store.Preservation{Off: true}})
		b.registerAs(up)
		const peer = "x-netflix-discovery-replication"
		b.want(200, "PUT", one+"?status=UP&lastDirtyTimestamp=1000")
		b.want(200, "PUT", one+"?lastDirtyTimestamp=999")
		b.want(200, "PUT", one)
		b.want(200, "PUT", one+"?lastDirtyTimestamp=")
		b.want(200, "PUT", one+"?lastDirtyTimestamp=1000", peer, "true")
		b.want(404, "PUT", one+"?lastDirtyTimestamp=1001&overriddenstatus=DOWN")
		b.status("ORDERS", "i1", up, none)
		for _, accept := range []string{"application/json", ""} {
			a := b.want(409, "PUT", one+"?lastDirtyTimestamp=999", peer, "true", "Accept", accept)
			if in, err := eurekawire.DecodeInstance(a.header.Get("Content-Type"), []byte(a.body)); err != nil || in.LastDirty != 1000 {
				t.Errorf("conflict answered with %s: %v", a.body, err)
			}
		}
		renewed := func() time.Time { return b.store.View("default").Services[0].Records[0].LastRenewal() }
		for _, bad := range []string{"abc", "1e3", "99999999999999999999", "%zz"} {
			before := renewed()
			time.Sleep(time.Second)
			b.want(400, "PUT", one+"?lastDirtyTimestamp="+bad)
			if !renewed().Equal(before) {
				t.Errorf("%s renewed the lease", bad)
			}
		}
		before := renewed()
		b.want(404, "PUT", one+"?lastDirtyTimestamp=2000")
		if !renewed().After(before) {
			t.Error("a newer timestamp did not renew the lease")
		}
	})
}

// Case 14.
func testDirtyTimestampOfRegistrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store.Options{Preserve: store.Preservation{Off: true}})
		send := func(dirty int64, host string) {
			t.Helper()
			in := ordinary("ORDERS", "i1")
			in.LastDirty, in.HostName = dirty, host
			b.register(in)
		}
		host := func() string { return b.instance("ORDERS", "i1").HostName }
		send(1000, "first")
		time.Sleep(100 * time.Second)
		send(999, "older")
		if got := host(); got != "first" {
			t.Errorf("an older registration replaced the host by %s", got)
		}
		time.Sleep(100 * time.Second)
		if got := host(); got != "first" {
			t.Errorf("an older registration did not renew the lease: %s", got)
		}
		send(1000, "equal")
		if got := host(); got != "equal" {
			t.Errorf("an equal registration left the host %s", got)
		}
		send(1001, "newer")
		if got := host(); got != "newer" {
			t.Errorf("a newer registration left the host %s", got)
		}
		send(0, "now")
		if in := b.instance("ORDERS", "i1"); in.HostName != "now" || in.LastDirty < 1e12/2 {
			t.Errorf("a registration without timestamp left %s, %d", in.HostName, in.LastDirty)
		}
	})
}

// Case 29.
func testDeltaHasTheLatestActionOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store.Options{Preserve: store.Preservation{Off: true}})
		in := ordinary("ORDERS", "i1")
		in.Lease.DurationSecs = 24 * 3600
		version := int64(-1)
		expect := func(want string) {
			t.Helper()
			delta := b.list("apps/delta")
			if got := ids(delta); got != want {
				t.Errorf("delta %q, want %q", got, want)
			}
			v, err := strconv.ParseInt(delta.Version, 10, 64)
			if err != nil || v < version {
				t.Errorf("versions__delta went from %d to %s", version, delta.Version)
			}
			version = v
			if full := b.list("apps"); full.HashCode != delta.HashCode || full.Version != "1" {
				t.Errorf("hash %s in the delta, %s in the list; version %s", delta.HashCode, full.HashCode, full.Version)
			}
		}
		expect("")
		b.register(in)
		b.register(ordinary("PAYMENTS", "i1"))
		expect("ORDERS/i1:ADDED:UP PAYMENTS/i1:ADDED:UP")
		b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
		expect("ORDERS/i1:MODIFIED:OUT_OF_SERVICE PAYMENTS/i1:ADDED:UP")
		b.want(200, "DELETE", "/eureka/apps/PAYMENTS/i1")
		expect("ORDERS/i1:MODIFIED:OUT_OF_SERVICE PAYMENTS/i1:DELETED:UP")
		b.register(ordinary("PAYMENTS", "i1"))
		expect("ORDERS/i1:MODIFIED:OUT_OF_SERVICE PAYMENTS/i1:ADDED:UP")
		b.want(200, "DELETE", "/eureka/apps/PAYMENTS/i1")
		time.Sleep(3*time.Minute - time.Second)
		expect("ORDERS/i1:MODIFIED:OUT_OF_SERVICE PAYMENTS/i1:DELETED:UP")
		time.Sleep(31 * time.Second)
		expect("")
		if got := ids(b.list("apps")); got != "ORDERS/i1:MODIFIED:OUT_OF_SERVICE" {
			t.Errorf("list %s", got)
		}
	})
}

// Case 33. Each list that is read is checked against the hash it carries while 200 write, and the last one against the store.
func testBigListsAndManyAtOnce(t *testing.T) {
	b := newBench(t, store.Options{})
	const writers, rounds = 200, 5
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for n := range rounds {
				app, id := fmt.Sprintf("APP%d", r.IntN(20)), fmt.Sprintf("i%d-%d", w, r.IntN(4))
				path := "/eureka/apps/" + app + "/" + id
				switch n % 5 {
				case 3:
					b.do("PUT", path+"/status?value=OUT_OF_SERVICE", "")
				case 4:
					b.do("DELETE", path, "")
				default:
					b.register(ordinary(app, id))
					b.do("PUT", path+"?lastDirtyTimestamp=1000", "")
				}
			}
		})
	}
	ctx, done := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for _, headers := range [][]string{
		{"Accept", "application/json"}, {"Accept", "application/json", "X-Eureka-Accept", "compact"}, {}, {"Accept-Encoding", "gzip"},
	} {
		readers.Go(func() {
			for ctx.Err() == nil {
				b.readable("/eureka/apps", headers...)
				b.do("GET", "/eureka/apps/delta", "", headers...)
			}
		})
	}
	work.Wait()
	done()
	readers.Wait()
	full, delta := b.readable("/eureka/apps", "Accept-Encoding", "gzip"), b.list("apps/delta")
	if full.HashCode != delta.HashCode {
		t.Errorf("hash %s in the list, %s in the delta", full.HashCode, delta.HashCode)
	}
	if got, want := ids(full), ids(b.list("apps")); got != want {
		t.Errorf("kept list is\n%.600s, a new one\n%.600s", got, want)
	}
	fresh := &bench{t, b.store, eurekaserver.New(b.store, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
	if got, want := fresh.list("apps"), b.list("apps"); ids(got) != ids(want) || len(got.Apps) == 0 {
		t.Errorf("a server that kept nothing lists\n%.600s, want\n%.600s", ids(got), ids(want))
	}
}

// readable reads a list in any encoding and insists that its hash is what its instances make.
func (b *bench) readable(path string, headers ...string) *eurekawire.Applications {
	a := b.do("GET", path, "", headers...)
	if a.header.Get("Content-Encoding") == "gzip" {
		a.body = unzip(b, a.body)
	}
	list, err := eurekawire.DecodeApplications(a.header.Get("Content-Type"), []byte(a.body))
	if err != nil || len(list.Skipped) > 0 || list.HashCode != list.Counts().Hash() {
		b.Errorf("%s %v: %v, %.300s", path, headers, err, a.body)
		return &eurekawire.Applications{}
	}
	return list
}

// A client that reads the list once and merges deltas from then on, as all of them do, has at every moment what the hash says,
// whatever is written meanwhile; so it never needs the list again.
func TestPollingClientStaysInStep(t *testing.T) {
	b := newBench(t, store.Options{})
	var work sync.WaitGroup
	for w := range 8 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(w)))
			for range 150 {
				path := fmt.Sprintf("/eureka/apps/APP%d/i%d", r.IntN(5), r.IntN(30))
				switch r.IntN(4) {
				case 0:
					b.do("DELETE", path, "")
				case 1:
					b.do("PUT", path+"/status?value=DOWN", "")
				default:
					b.register(ordinary(path[len("/eureka/apps/"):len("/eureka/apps/APP0")], path[len("/eureka/apps/APP0/"):]))
				}
			}
		})
	}
	have := map[string]eurekawire.Status{}
	merge := func(list *eurekawire.Applications) {
		var counts eurekawire.Counts
		for _, app := range list.Apps {
			for _, in := range app.Instances {
				if have[app.Name+"/"+in.InstanceID] = in.Status; in.ActionType == eurekawire.Deleted {
					delete(have, app.Name+"/"+in.InstanceID)
				}
			}
		}
		for _, s := range have {
			counts.Add(s, 1)
		}
		if counts.Hash() != list.HashCode {
			t.Errorf("after merging version %s the client's hash is %s, the server's %s", list.Version, counts.Hash(), list.HashCode)
		}
	}
	merge(b.list("apps"))
	written := make(chan struct{})
	go func() { work.Wait(); close(written) }()
	for polls := 0; ; polls++ {
		merge(b.list("apps/delta"))
		select {
		case <-written:
			if merge(b.list("apps/delta")); polls < 3 || len(have) == 0 {
				t.Errorf("%d polls, %d instances at the end", polls, len(have))
			}
			return
		default:
		}
	}
}

// A list that is put together from blocks kept from before must equal one made at once, whatever came and went.
func TestListsFromKeptBlocksEqualNewOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	for step := range 10 {
		for range r.IntN(60) {
			app, id := fmt.Sprintf("APP%d", r.IntN(6)), fmt.Sprintf("i%d", r.IntN(100))
			if r.IntN(4) == 0 {
				b.do("DELETE", "/eureka/apps/"+app+"/"+id, "")
			} else {
				b.register(ordinary(app, id))
			}
		}
		fresh := &bench{t, b.store, eurekaserver.New(b.store, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
		for _, accept := range []string{"application/json", "application/xml"} {
			want := fresh.want(200, "GET", "/eureka/apps", "Accept", accept).body
			if got := b.want(200, "GET", "/eureka/apps", "Accept", accept).body; got != want {
				t.Fatalf("step %d: a list of kept blocks differs:\n%.600s\nwant\n%.600s", step, got, want)
			}
			if got := unzip(t, b.want(200, "GET", "/eureka/apps", "Accept", accept, "Accept-Encoding", "gzip").body); got != want {
				t.Fatalf("step %d: a compressed list of kept blocks differs:\n%.600s\nwant\n%.600s", step, got, want)
			}
		}
	}
}

// Case 26, second half: what the protocol must give back and overrides survive a restart.
func TestRecordsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	var before answer
	for life := range 2 {
		journal, err := bolt.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(store.Options{Journal: journal})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AwaitLoad(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := &bench{t, s, eurekaserver.New(s, eurekaserver.Options{Door: access.New(access.Options{Anonymous: access.All})})}
		if life == 0 {
			b.registerAs(up)
			b.want(200, "PUT", one+"/status?value=OUT_OF_SERVICE")
		}
		a := b.want(200, "GET", "/eureka/apps")
		if life == 0 {
			before = a
		} else if timeless(a.body) != timeless(before.body) {
			t.Errorf("before\n%s\nafter\n%s", before.body, a.body)
		}
		b.want(200, "PUT", one+"?lastDirtyTimestamp=1000")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
