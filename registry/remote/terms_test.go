package remote_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/remote"
)

func TestTermsSayWhetherTheServerHasADataFile(t *testing.T) {
	kept := startServer(t)
	d := kept.open(t, "live")
	if terms := d.Terms(); !terms.Durable || terms.Lives != "in the data file of muster serve, synced before the answer" {
		t.Errorf("with a data file: %+v", terms)
	}
	kept.proxy.Cut()
	if terms := d.Terms(); !strings.Contains(terms.Lives, "data file") || !strings.Contains(terms.Lives, "memory") {
		t.Errorf("without an answer: %+v, want both cases", terms)
	}
	d.Close()

	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	forgets := httptest.NewServer(api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All})}))
	defer forgets.Close()
	m, err := remote.Open(remote.Options{Hosts: []string{forgets.Listener.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if terms := m.Terms(); terms.Durable || !strings.HasPrefix(terms.Lives, "in the memory of muster serve") {
		t.Errorf("without a data file: %+v", terms)
	}
}
