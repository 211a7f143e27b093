package eurekaserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/eurekawire"
	"github.com/muster-go/muster/internal/store"
)

// A change in a large list makes the block anew that it falls into. Blocks get their length also when instances come one by one, each
// a service of its own at the end of the list.
func TestOneChangeMakesOneBlockAnew(t *testing.T) {
	t.Parallel()
	st, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := New(st, Options{})
	write := func(i int) {
		key := muster.Key{Namespace: "default", Service: fmt.Sprintf("app%04d", i), ID: fmt.Sprintf("i%d", i)}
		if _, err := st.Update(key, func(*store.Record) (*store.Record, error) {
			return &store.Record{TTL: time.Minute, Instance: &muster.Instance{Namespace: key.Namespace, Service: key.Service, ID: key.ID, Status: muster.Up}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	blocks := func() []*block {
		v := st.View("default")
		s.list(v, eurekawire.JSONCompact, false)
		return s.lists.get(sheetKey{namespace: "default", form: eurekawire.JSONCompact}).current.Load().blocks
	}
	var before []*block
	made := 0
	const n = 800
	for i := range n {
		write(i)
		after := blocks()
		made += fresh(before, after)
		before = after
	}
	if least, most := n/blockTarget/2, n/blockTarget*2; len(before) < least || len(before) > most {
		t.Errorf("%d blocks for %d instances, want %d to %d", len(before), n, least, most)
	}
	if made > n*3/2 {
		t.Errorf("%d blocks made anew for %d arrivals", made, n)
	}
	for i := 0; i < n; i += 100 {
		write(i)
		after := blocks()
		if got := fresh(before, after); got != 1 {
			t.Errorf("%d blocks made anew for one change", got)
		}
		before = after
	}
}

// fresh counts the blocks of after that before does not have.
func fresh(before, after []*block) (n int) {
	for _, b := range after {
		if !slices.Contains(before, b) {
			n++
		}
	}
	return n
}
