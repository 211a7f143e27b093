package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func bearer(name string) store.Token {
	t := store.Token{Name: name, Allow: []string{"register:ORDERS*", "read"}}
	copy(t.Hash[:], name)
	return t
}

func addToken(t testing.TB, s *store.Store, token store.Token) {
	t.Helper()
	if err := s.AddToken(token, store.Author{Proven: "local:0"}); err != nil {
		t.Fatal(err)
	}
}

func namesOf(tokens []*store.Token) string {
	var names []string
	for _, t := range tokens {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

func TestTokensAreListedByNameAndOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		if got := s.Tokens(); len(got) != 0 {
			t.Fatalf("a new store has tokens: %s", namesOf(got))
		}
		addToken(t, s, bearer("ops"))
		full := bearer("Build")
		full.Namespace, full.Why, full.Expires = "prod", "the pipeline", time.Now().Add(time.Hour).Round(0)
		addToken(t, s, full)
		first := s.Tokens()
		if got := namesOf(first); got != "Build ops" {
			t.Errorf("tokens %s", got)
		}
		if again := s.Tokens(); &again[0] != &first[0] {
			t.Error("the slice is another one though nothing changed")
		}
		if err := s.RemoveToken("OPS", store.Author{Claimed: "ann", Why: "gone"}); err != nil {
			t.Fatal(err)
		}
		if got := namesOf(s.Tokens()); got != "Build" || namesOf(first) != "Build ops" {
			t.Errorf("after removing one: %s; the slice from before says %s", got, namesOf(first))
		}
		wantCode(t, "removing it again", s.RemoveToken("ops", store.Author{}), muster.NotFound)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		s = life(t, j, store.Options{})
		if len(s.Tokens()) != 1 {
			t.Fatalf("after a restart: %s", namesOf(s.Tokens()))
		}
		got := *s.Tokens()[0]
		if got.Name != full.Name || got.Hash != full.Hash || !slices.Equal(got.Allow, full.Allow) || got.Namespace != "prod" ||
			got.Why != full.Why || !got.Expires.Equal(full.Expires) || got.By != "local:0" || got.Created.IsZero() {
			t.Errorf("after a restart: %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatIsDoneToTokensIsAudited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{})
		defer s.Close()
		limited := bearer("limited")
		limited.Namespace = "prod"
		addToken(t, s, limited)
		addToken(t, s, bearer("ops"))
		if err := s.RemoveToken("limited", store.Author{Claimed: "bob", Why: "leaked"}); err != nil {
			t.Fatal(err)
		}
		prod, err := s.Audit("prod", "", 0, 0)
		if err != nil || len(prod) != 2 {
			t.Fatalf("audit of prod: %+v, %v", prod, err)
		}
		revoked, created := prod[0], prod[1]
		if created.Op != "create-token" || created.Key != (muster.Key{Namespace: "prod", ID: "limited"}) || created.Proven != "local:0" ||
			created.Detail != "allows register:ORDERS*, read in namespace prod" {
			t.Errorf("created: %+v", created)
		}
		if revoked.Op != "revoke-token" || revoked.Key != created.Key || revoked.Claimed != "bob" || revoked.Why != "leaked" || revoked.ID <= created.ID {
			t.Errorf("revoked: %+v", revoked)
		}
		if rest, err := s.Audit(muster.DefaultNamespace, "", 0, 0); err != nil || len(rest) != 1 || rest[0].Key.ID != "ops" {
			t.Errorf("audit of the default namespace: %+v, %v", rest, err)
		}
	})
}

func TestATokenThatTheDiskRefusesIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newKept()
		s := life(t, j, store.Options{})
		defer s.Close()
		addToken(t, s, bearer("old"))
		full := &muster.Error{Code: muster.Exhausted, Err: errors.New("disk full")}
		j.on(&j.onSync, func() error { return full })
		wantCode(t, "adding", s.AddToken(bearer("new"), store.Author{}), muster.Exhausted)
		wantCode(t, "removing", s.RemoveToken("old", store.Author{}), muster.Exhausted)
		if got := namesOf(s.Tokens()); got != "old" {
			t.Errorf("tokens %s, want old alone", got)
		}
		j.on(&j.onSync, func() error { return nil })
		addToken(t, s, bearer("new"))
	})
}

func TestTokensAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := life(t, newKept(), store.Options{})
		defer s.Close()
		cert := store.Token{Name: "cert", Certificate: "spiffe://x/y", Allow: []string{"read"}}
		addToken(t, s, bearer("ops"))
		addToken(t, s, cert)
		for what, c := range map[string]struct {
			change func(*store.Token)
			code   muster.Code
		}{
			"no name":              {func(t *store.Token) { t.Name = "" }, muster.Invalid},
			"a name with a space":  {func(t *store.Token) { t.Name = "a b" }, muster.Invalid},
			"no hash":              {func(t *store.Token) { t.Hash = [32]byte{} }, muster.Invalid},
			"hash and certificate": {func(t *store.Token) { t.Certificate = "x" }, muster.Invalid},
			"no rights":            {func(t *store.Token) { t.Allow = nil }, muster.Invalid},
			"too many rights":      {func(t *store.Token) { t.Allow = make([]string, 65) }, muster.Invalid},
			"an empty right":       {func(t *store.Token) { t.Allow = []string{""} }, muster.Invalid},
			"a long right":         {func(t *store.Token) { t.Allow = []string{strings.Repeat("x", 257)} }, muster.Invalid},
			"expired":              {func(t *store.Token) { t.Expires = time.Now().Add(-time.Second) }, muster.Invalid},
			"a namespace":          {func(t *store.Token) { t.Namespace = "a b" }, muster.Invalid},
			"a reason":             {func(t *store.Token) { t.Why = strings.Repeat("x", 1025) }, muster.Invalid},
			"a name taken":         {func(t *store.Token) { t.Name = "OPS" }, muster.Conflict},
			"a hash taken":         {func(t *store.Token) { t.Hash = bearer("ops").Hash }, muster.Conflict},
			"a certificate taken":  {func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "spiffe://x/y" }, muster.Conflict},
			"one in other case":    {func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "SPIFFE://x/Y" }, muster.Conflict},
		} {
			token := bearer("next")
			c.change(&token)
			wantCode(t, what, s.AddToken(token, store.Author{}), c.code)
		}
		if got := namesOf(s.Tokens()); got != "cert ops" {
			t.Errorf("tokens %s", got)
		}
	})
}
