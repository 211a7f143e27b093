package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/muster-go/muster"
)

// Token lets its bearer, or the bearer of a client certificate, do what it allows. The store keeps it and reads nothing into
// it; a Token that the store returned is immutable.
type Token struct {
	Name        string    // unique, compared without ASCII case
	Hash        [32]byte  // SHA-256 of the token's text; zero for a certificate's
	Certificate string    // the subject of a client certificate; "" for a token with a text
	Allow       []string  // rights, as the faces read them
	Namespace   string    // where they hold; "" everywhere
	By          string    // who made it; set by the store
	Why         string    // what it is for
	Created     time.Time // set by the store
	Expires     time.Time // zero: never. An expired token stays listed until it is removed
}

// Limits on tokens.
const (
	MaxTokens     = 10_000
	maxRights     = 64
	maxRight      = 256 // bytes of one
	maxCredential = 1024
)

// tokens is the list of tokens by name, replaced as a whole.
type tokens struct {
	list atomic.Pointer[[]*Token]
}

func (t *tokens) all() []*Token {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

// set puts t in place of the token of that name; nil takes it out.
func (t *tokens) set(name string, token *Token) {
	name = muster.Fold(name)
	next := slices.Clone(t.all())
	i, found := slices.BinarySearchFunc(next, name, byFoldedName)
	switch {
	case found && token == nil:
		next = slices.Delete(next, i, i+1)
	case found:
		next[i] = token
	case token != nil:
		next = slices.Insert(next, i, token)
	}
	t.list.Store(&next)
}

func byFoldedName(t *Token, name string) int { return cmp.Compare(muster.Fold(t.Name), name) }

// Tokens returns all tokens by name, expired ones too. It is the same slice while nothing changed, and nobody may change it. It
// loads one pointer. Until the journal is loaded it is not complete.
func (s *Store) Tokens() []*Token { return s.tokens.all() }

// AddToken keeps a token, synced in the journal together with its audit record before anybody sees it and before AddToken
// returns.
//
// Errors: Conflict (the name, the hash or the certificate is another token's), Invalid, Exhausted (too many, or the disk is
// full: nothing was written), Unavailable, Closed.
func (s *Store) AddToken(t Token, who Author) error {
	t.By = who.name()
	t.Allow = slices.Clone(t.Allow)
	if err := t.check(time.Now()); err != nil {
		return err
	}
	if err := (&muster.Intent{By: t.By, Why: who.Why}).Validate(); err != nil {
		return err
	}
	who.Op = cmp.Or(who.Op, "create-token")
	_, err := s.do(&act{key: t.auditKey(), token: &t, who: who})
	return err
}

// RemoveToken forgets the token of that name, synced in the journal together with its audit record. Once it returns,
// [Store.Tokens] is without it.
//
// Errors: NotFound, Exhausted (the disk is full: nothing was written), Unavailable, Closed.
func (s *Store) RemoveToken(name string, who Author) error {
	if err := (&muster.Intent{By: who.name(), Why: who.Why}).Validate(); err != nil {
		return err
	}
	who.Op = cmp.Or(who.Op, "revoke-token")
	_, err := s.do(&act{key: muster.Key{Namespace: muster.DefaultNamespace, ID: name}, revoke: name, who: who})
	return err
}

// check says what is wrong with a token that is about to be kept.
func (t *Token) check(now time.Time) error {
	if err := muster.CheckNamespace(t.Name); err != nil {
		return invalid("a token's name is like a namespace's: %w", err)
	}
	if t.Namespace != "" {
		if err := muster.CheckNamespace(t.Namespace); err != nil {
			return err
		}
	}
	switch {
	case (t.Hash == [32]byte{}) == (t.Certificate == ""):
		return invalid("token %q needs a hash or a certificate, and not both", t.Name)
	case len(t.Certificate) > maxCredential || !utf8.ValidString(t.Certificate):
		return invalid("token %q: its certificate's subject has %d bytes, at most %d of UTF-8 are kept", t.Name, len(t.Certificate), maxCredential)
	case len(t.Allow) == 0 || len(t.Allow) > maxRights:
		return invalid("token %q allows %d things, 1 to %d are kept", t.Name, len(t.Allow), maxRights)
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return invalid("token %q would have expired at %s", t.Name, t.Expires.UTC().Format(time.RFC3339))
	}
	for _, right := range t.Allow {
		if right == "" || len(right) > maxRight || !utf8.ValidString(right) {
			return invalid("token %q: a right has %d bytes, 1 to %d of UTF-8 are kept", t.Name, len(right), maxRight)
		}
	}
	return (&muster.Intent{By: t.By, Why: t.Why}).Validate()
}

// clash returns an error when the token cannot be kept beside those that are there.
func (t *Token) clash(all []*Token) error {
	conflict := func(format string, args ...any) error {
		return &muster.Error{Op: "add token", Code: muster.Conflict, Err: fmt.Errorf(format, args...)}
	}
	for _, other := range all {
		switch {
		case muster.EqualFold(other.Name, t.Name):
			return conflict("token %q is there already, made by %q at %s; revoke it first, or take another name", other.Name, other.By, other.Created.UTC().Format(time.RFC3339))
		case t.Certificate != "" && muster.EqualFold(other.Certificate, t.Certificate): // as the faces compare them
			return conflict("certificate %q is token %q's already", t.Certificate, other.Name)
		case t.Certificate == "" && other.Hash == t.Hash:
			return conflict("that text is token %q's already", other.Name)
		}
	}
	if len(all) >= MaxTokens {
		return &muster.Error{Op: "add token", Code: muster.Exhausted, Err: fmt.Errorf("%d tokens are kept already; revoke some first", len(all))}
	}
	return nil
}

// auditKey is the key of the token's audit records: they are read with those of its namespace.
func (t *Token) auditKey() muster.Key {
	return muster.Key{Namespace: cmp.Or(t.Namespace, muster.DefaultNamespace), ID: t.Name}
}

// detail says in words, for the audit, what the token is.
func (t *Token) detail() string {
	out := "allows " + strings.Join(t.Allow, ", ")
	if t.Namespace != "" {
		out += " in namespace " + t.Namespace
	}
	if t.Certificate != "" {
		out += ", for certificate " + t.Certificate
	}
	if !t.Expires.IsZero() {
		out += ", until " + t.Expires.UTC().Format(time.RFC3339)
	}
	return out
}

var errNoToken = errors.New("no token has that name; muster token list shows them")
