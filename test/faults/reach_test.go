package faults

import (
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/fault"
	"github.com/muster-go/muster/test/peer"
)

// While the way to the registry is broken, calls go on from the last good list, which says that it is stale. When it is whole
// again, everything heals by itself.
func TestCallsGoOnWhileTheWayToTheRegistryIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		breakIt func(*fault.Proxy)
		beats   bool // heartbeats arrive, though their answers do not
	}{
		{"cut", (*fault.Proxy).Cut, false},
		{"silent", (*fault.Proxy).Blackhole, false},
		{"half closed", (*fault.Proxy).HalfClose, true},
		{"reset", (*fault.Proxy).Reset, false},
		{"garbled", (*fault.Proxy).Garbage, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := peer.Muster(t)
			proxy := fault.NewProxy(t, server.Addr)
			near, far := newRegistry(t, server.Addr), newRegistry(t, proxy.Addr())
			a, b := newTarget(t, near, service), newTarget(t, near, service)
			cutOff := enrol(t, far, "ADS", "127.0.0.1:9") // its heartbeats go the broken way too
			peer.Await(t, slack, "both lists", func() bool {
				return lists(far, service, a.Instance().ID, b.Instance().ID) && lists(near, "ADS", cutOff.Instance().ID)
			})
			caller := newCaller(t, far)

			c.breakIt(proxy)
			peer.Await(t, remote.Liveness+slack, "the view to be stale", func() bool { return far.View().Stale != nil })
			if !c.beats {
				peer.Await(t, ttl+slack, "ADS to expire", func() bool { return lists(near, "ADS") })
			}
			news := newTarget(t, near, service) // cannot arrive
			stays(t, far, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
			if cutOff.Err() == nil {
				t.Error("the registration that cannot be renewed says that all is well")
			}

			proxy.Pass()
			peer.Await(t, remote.Liveness+slack, "the view to be fresh", func() bool {
				return far.View().Stale == nil && lists(far, service, a.Instance().ID, b.Instance().ID, news.Instance().ID)
			})
			peer.Await(t, slack, "ADS to be registered again", func() bool { return cutOff.Err() == nil && lists(near, "ADS", cutOff.Instance().ID) })
			stays(t, near, ttl+ttl/2, "ADS", cutOff.Instance().ID)
			stays(t, far, ttl/2, service, a.Instance().ID, b.Instance().ID, news.Instance().ID)
			caller.check(t)
		})
	}
}

func TestRegistryThatIsDownAtStartIsFoundLater(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	server.Kill()
	r := newRegistry(t, server.Addr)
	reg := newTarget(t, r, service) // Unavailable is no reason to give up
	if reg.Err() == nil {
		t.Error("the registration says that all is well without a registry")
	}
	if r.View().Loaded || r.Snapshot(service) != nil {
		t.Errorf("a list came from nowhere: %v", r.View().Table)
	}
	pass(ttl)

	server.Restart()
	peer.Await(t, slack, "the registration and its view", func() bool { return reg.Err() == nil && lists(r, service, reg.Instance().ID) })
	caller := newCaller(t, r)
	stays(t, r, ttl+ttl/2, service, reg.Instance().ID)
	caller.check(t)
}

// The registry was gone for several leases and has forgotten everything: an empty list is no news until those who are there have
// had the time to say so.
func TestRegistryThatComesBackEmptyIsFilledAgain(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	r := newRegistry(t, server.Addr)
	a, b := newTarget(t, r, service), newTarget(t, r, service)
	peer.Await(t, slack, "both instances", func() bool { return lists(r, service, a.Instance().ID, b.Instance().ID) })
	caller := newCaller(t, r)

	server.Kill()
	pass(3 * ttl)
	if r.View().Stale == nil {
		t.Error("the view does not say that it is stale")
	}
	if err := os.RemoveAll(server.Data); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	other := newRegistry(t, server.Addr) // knows only what the server says
	peer.Await(t, 2*slack, "both to be registered again", func() bool {
		return lists(other, service, a.Instance().ID, b.Instance().ID) && r.View().Stale == nil && a.Err() == nil && b.Err() == nil
	})
	peer.Await(t, slack, "both to be seen again", func() bool { return lists(r, service, a.Instance().ID, b.Instance().ID) })
	stays(t, r, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
	caller.check(t)
}

// Another program on the registry's port answers everything, and nothing that a registry would say.
func TestCallsGoOnWhileAStrangerAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a web page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<html><body>It works!</body></html>"))
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "out of order", http.StatusInternalServerError)
		},
		"not found":    http.NotFound,
		"an empty 200": func(http.ResponseWriter, *http.Request) {},
		"other JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"items":[],"services":{}}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := peer.Muster(t)
			r := newRegistry(t, server.Addr)
			a, b := newTarget(t, r, service), newTarget(t, r, service)
			peer.Await(t, slack, "both instances", func() bool { return lists(r, service, a.Instance().ID, b.Instance().ID) })
			caller := newCaller(t, r)
			pass(ttl) // more than the second by which the journal may be behind

			server.Kill()
			listener, err := net.Listen("tcp", server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			stranger := &http.Server{Handler: answer, ReadHeaderTimeout: time.Minute}
			ended := make(chan error, 1)
			go func() { ended <- stranger.Serve(listener) }()
			peer.Await(t, remote.Liveness+slack, "the view to be stale", func() bool { return r.View().Stale != nil })
			stays(t, r, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
			if a.Err() == nil || b.Err() == nil {
				t.Errorf("registrations that nobody renews say that all is well: %v, %v", a.Err(), b.Err())
			}
			stranger.Close()
			<-ended
			peer.Await(t, slack, "the port to be free", func() bool { return refused(server.Addr) }) // a process just forked may hold the listener until it is another program

			server.Restart()
			stays(t, r, ttl+ttl/2, service, a.Instance().ID, b.Instance().ID)
			peer.Await(t, 2*slack, "everything to heal", func() bool { return r.View().Stale == nil && a.Err() == nil && b.Err() == nil })
			stays(t, r, ttl, service, a.Instance().ID, b.Instance().ID)
			caller.check(t)
		})
	}
}

func refused(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
