package faults

import (
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/peer"
)

// A process that stood still for several leases is forgotten meanwhile, and comes back under its old key, once.
func TestPausedProcessRegistersAgain(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	view := newRegistry(t, server.Addr)
	const id = "127.0.0.1:19"
	p := start(t, "register", peer.Line("registered"), server.Addr, id)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, id) })

	p.Pause()
	paused := time.Now()
	peer.Await(t, ttl+slack, "the paused process to be forgotten", func() bool { return lists(view, service) })
	if early := time.Since(paused); early < ttl/2 {
		t.Errorf("it was forgotten after %v, its lease is %v", early, ttl)
	}
	pass(time.Until(paused.Add(3 * ttl)))
	p.Resume()

	peer.Await(t, slack, "it to come back", func() bool { return lists(view, service, id) })
	stays(t, view, 2*ttl, service, id)
}

// A second process takes the key over while the first stands still: the first notices, and stops for good.
func TestPausedProcessWhoseKeyWasTakenStaysAway(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	view := newRegistry(t, server.Addr)
	const id = "127.0.0.1:20"
	first := start(t, "register", peer.Line("registered"), server.Addr, id)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, id) })
	owner := view.Snapshot(service).Instance(id).Owner

	first.Pause()
	start(t, "register", peer.Line("registered"), server.Addr, id)
	peer.Await(t, slack, "the second to own it", func() bool {
		in := view.Snapshot(service).Instance(id)
		return in != nil && in.Owner != owner
	})
	second := view.Snapshot(service).Instance(id).Owner
	pass(ttl)
	first.Resume()
	peer.Await(t, slack, "the first to give up", func() bool { return peer.Line("displaced")(t.Context(), first.Log()) == nil })
	stays(t, view, 2*ttl, service, id)
	if got := view.Snapshot(service).Instance(id).Owner; got != second {
		t.Errorf("owner %s, want %s, the second process", got, second)
	}
}

// While the server stood still, nobody could renew: nothing expires for one lease afterwards. Then what is dead does.
func TestPausedServerExpiresNothingForOneLease(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	const id = "127.0.0.1:21"
	start(t, "register", peer.Line("registered"), server.Addr, id)
	view := newRegistry(t, server.Addr)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, id) })
	driver, err := remote.Open(remote.Options{Hosts: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	dead := &muster.Instance{
		Namespace: muster.DefaultNamespace, Service: "DEAD", ID: "d", Status: muster.Up, Owner: "nobody",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: "127.0.0.1:9"}},
	}
	if _, err := driver.Register(t.Context(), dead, ttl); err != nil { // and never renewed
		t.Fatal(err)
	}
	peer.Await(t, slack, "both", func() bool { return lists(view, "DEAD", "d") })

	server.Pause()
	pass(3 * ttl)
	server.Resume()
	resumed := time.Now()
	stays(t, view, ttl*3/4, "DEAD", "d")
	peer.Await(t, 2*ttl+slack, "the dead instance to expire", func() bool { return lists(view, "DEAD") })
	t.Logf("the dead instance expired %v after the server went on", time.Since(resumed))
	stays(t, view, 2*ttl, service, id)
}
