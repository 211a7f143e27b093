package main

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

func TestStatusSaysWhatSelfPreservationDoes(t *testing.T) {
	t.Parallel()
	for want, preserve := range map[string]store.Preservation{
		" armed ":                {},
		" off ":                  {Off: true},
		" holding: 1 of 1 late ": {Share: 0.01, Floor: 1},
	} {
		l := newLabWith(t, server.Options{Version: version(), Preserve: preserve})
		in := &muster.Instance{Namespace: "default", Service: "ORDERS", ID: "a", Status: muster.Up, Owner: "o", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:1"}}}
		ttl := time.Minute
		if preserve.Floor == 1 {
			ttl = 300 * time.Millisecond
		}
		if _, err := l.server.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) { return &store.Record{Instance: in, TTL: ttl}, nil }); err != nil {
			t.Fatal(err)
		}
		holds := preserve.Floor == 1
		await(t, "self-preservation", func() bool { return l.server.Store().State().Preserving == holds })
		res := l.must("status")
		if !strings.Contains(res.stdout, want) || strings.Contains(res.stdout, "1 of 1 instances have missed their heartbeats") != holds {
			t.Errorf("want %q: %s", want, res.stdout)
		}
	}
}

func TestStatusShowsServersThatDoNotAnswer(t *testing.T) {
	l := newLab(t)
	dead := closedPort(t)
	res := l.must("status", "--registry", l.env["MUSTER_REGISTRY"]+","+dead)
	head, rows, _ := strings.Cut(res.stdout, "\n")
	for line := range strings.SplitSeq(rows, "\n") {
		if strings.HasPrefix(line, dead+" ") {
			if strings.Index(line, "does not answer") != strings.Index(head, "JOURNAL") {
				t.Errorf("it is in another column:\n%s", res.stdout)
			}
			return
		}
	}
	t.Errorf("it is not shown:\n%s", res.stdout)
}
