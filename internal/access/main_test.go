package access_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper is a list of tokens that a test changes.
type keeper struct {
	tokens []*store.Token
	loaded chan struct{}
}

func newKeeper(tokens ...*store.Token) *keeper {
	k := &keeper{tokens: tokens, loaded: make(chan struct{})}
	close(k.loaded)
	return k
}

func (k *keeper) Tokens() []*store.Token  { return k.tokens }
func (k *keeper) Loaded() <-chan struct{} { return k.loaded }

// without makes the list another one that lacks a name.
func (k *keeper) without(name string) {
	k.tokens = slices.DeleteFunc(slices.Clone(k.tokens), func(t *store.Token) bool { return t.Name == name })
}

// token makes a token and its record.
func token(name string, change func(*store.Token), allow ...string) (string, *store.Token) {
	text, hash := access.NewToken()
	t := &store.Token{Name: name, Hash: hash, Allow: allow, Created: time.Now()}
	if change != nil {
		change(t)
	}
	return text, t
}

// request is one to a server; auth is its Authorization header.
func request(auth ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for _, a := range auth {
		r.Header.Add("Authorization", a)
	}
	return r
}
