package remote_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/registry/remote"
)

// guarded serves a store to those who show a token.
func guarded(t *testing.T) (host string, s *store.Store, door *access.Door) {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	door = access.New(access.Options{Tokens: s})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: api.New(s, api.Options{Door: door}), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(listener) // always ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-ended
		_ = s.Close()
	})
	return listener.Addr().String(), s, door
}

// allow makes a token that may read.
func allow(t *testing.T, s *store.Store, name string, expires time.Time) (text string) {
	t.Helper()
	text, hash := access.NewToken()
	record := store.Token{Name: name, Hash: hash, Allow: []string{"read"}, Created: time.Now(), Expires: expires}
	if err := s.AddToken(record, store.Author{}); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStreamOfARevokedTokenEndsWithTheReason(t *testing.T) {
	host, s, door := guarded(t)
	for name, x := range map[string]struct {
		expires time.Time
		want    string
	}{
		"leaver":  {want: "token:leaver was revoked"},
		"visitor": {time.Now().Add(2 * time.Second), "token:visitor expired at"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openOn(t, remote.Options{Hosts: []string{host}, Token: allow(t, s, name, x.expires)})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			tables := 0
			err := d.Watch(ctx, nil, nil, func(*muster.Table) {
				if tables++; tables == 1 && x.expires.IsZero() {
					if err := s.RemoveToken(name, store.Author{}); err != nil {
						t.Error(err)
					}
					door.Refresh()
				}
			})
			explained(t, "Watch", err, muster.Denied, x.want)
			if tables == 0 {
				t.Error("there was no list before it")
			}
			_, err = d.Services(ctx)
			explained(t, "Services", err, muster.Denied, strings.TrimSuffix(x.want, " at"))
		})
	}
}
