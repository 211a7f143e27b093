package store_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/store"
)

// Whoever stops a server on a full disk must hear what its file will lack.
func TestCloseSaysWhatTheJournalLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s, err := store.Open(store.Options{Journal: j})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AwaitLoad(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.on(&j.onWrite, func() error { return errors.New("no space left") })
		time.Sleep(time.Minute)
		since := time.Now()
		register(t, s, record(key("orders", "1"), time.Hour))
		time.Sleep(5 * time.Minute)
		err = s.Close()
		if err == nil || !strings.Contains(err.Error(), "no space left; what was registered or left since "+since.UTC().Format("2006-01-02T15:04")) {
			t.Errorf("close: %v", err)
		}
	})
}
