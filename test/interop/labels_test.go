package interop

import (
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

func TestMetadataIsTheSameOnBothSides(t *testing.T) {
	t.Parallel()
	labels := map[string]string{
		"greeting": "Grüße aus 上海 🚀", "markup": `<a href="x">&amp;'</a>`, "empty": "", "spaced": "  two  ", "version.short": "1.2-β", "camelCase": "ok",
	}
	asJSON := map[string]any{}
	for name, value := range labels {
		asJSON[name] = value
	}
	f := newFleet(t)
	stock := f.python("STOCK", config{Init: map[string]any{"metadata": asJSON}})
	bills := f.golang("BILLS", config{Metadata: labels})
	f.call()
	for _, c := range []struct {
		who, whose *program
	}{{stock, bills}, {bills, stock}, {stock, stock}} {
		got := c.who.newest()[c.whose.service][c.whose.config.Me].Metadata
		for name, want := range labels {
			value, found := got[name]
			if !found || value != want {
				t.Errorf("%s sees %s's %s as %q (%v), want %q", c.who.service, c.whose.service, name, value, found, want)
			}
		}
	}
}

func TestCallersPreferTheirZone(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	inZone := func(zone string) map[string]any { return map[string]any{"zone": zone} }
	anywhere := map[string]any{"zone": "east", "prefer_same_zone": false}
	east := f.python("STOCK", config{Init: inZone("east")})
	west := f.golang("STOCK", config{Zone: "west"})
	calls := []string{"STOCK"}
	local := []*program{
		f.python("ORDERS", config{Init: inZone("east"), Calls: calls, Every: 0.1}),
		f.golang("BILLS", config{Zone: "east", Calls: calls, Every: 0.02}),
	}
	anyone := f.python("ADS", config{Init: anywhere, Calls: calls, Every: 0.1})
	abroad := f.python("MAPS", config{Init: inZone("west"), Calls: calls, Every: 0.1})
	f.call()
	for _, p := range []*program{east, local[0], local[1]} {
		if zone := p.newest()["STOCK"][east.config.Me].Zone; zone != "east" {
			t.Errorf("%s sees %s in zone %q, want east", p.service, east.config.Me, zone)
		}
		if zone := p.newest()["STOCK"][west.config.Me].Zone; zone != "west" {
			t.Errorf("%s sees %s in zone %q, want west", p.service, west.config.Me, zone)
		}
	}
	peer.Await(t, 20*time.Second, "everybody to have called, and who has no preference both zones", func() bool {
		return anyone.callsTo(east, "do_service") > 0 && anyone.callsTo(west, "do_service") > 0 &&
			abroad.callsTo(west, "client") > 0 && local[0].callsTo(east, "walk_nodes") > 0 && local[1].callsTo(east, "http.Client") > 0
	})

	off := time.Now() // callers may hear of it before the operator does
	f.enable(east, false)
	f.awaitEverywhere(poll+slack, "out of service", east, outOfService)
	switched := time.Now()
	peer.Await(t, 20*time.Second, "callers whose zone has nobody to go to the other", func() bool {
		return local[0].lastCall(west, switched, time.Now()).After(switched) && local[1].lastCall(west, switched, time.Now()).After(switched)
	})
	f.quiet()

	f.checkCalls(t)
	for _, p := range local {
		for _, e := range of("call", p.book()) {
			if e.began().Before(off) && e.Instance != east.config.Me {
				t.Errorf("%s left its zone though that had an instance", e.ID)
			}
		}
	}
	for _, e := range of("call", abroad.book()) {
		if e.Instance != west.config.Me {
			t.Errorf("%s left its zone though that had an instance", e.ID)
		}
	}
}
