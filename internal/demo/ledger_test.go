package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-go/muster/examples/social"
)

// honest returns a store and a ledger that agree: two people, three comments whose author was told, and one that is in doubt.
func honest(t *testing.T) (*social.Store, *ledger) {
	t.Helper()
	store, l := social.NewStore(new(social.Memory)), newLedger()
	for i := range 2 {
		email := fmt.Sprintf("p%d@example.org", i)
		id, _, err := store.AddUser(t.Context(), email, email, json.RawMessage(`{"email":"`+email+`"}`))
		if err != nil || l.person(id, email) != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		content := fmt.Sprintf("comment %d", i)
		id := addComment(t, store, content)
		if err := l.comment(id, content); err != nil {
			t.Fatal(err)
		}
	}
	addComment(t, store, "in doubt")
	l.doubt("in doubt")
	l.doubt("in doubt and not stored")
	return store, l
}

// addComment stores a comment and tells its author.
func addComment(t *testing.T, store *social.Store, content string) int64 {
	t.Helper()
	c, err := store.AddComment(t.Context(), "", social.Comment{Content: content})
	if err == nil {
		err = store.AddPush(t.Context(), "", social.Push{Content: content})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// reckoned is the report of a run that ended with these books.
func reckoned(t *testing.T, store *social.Store, l *ledger) *Report {
	t.Helper()
	b, err := l.compare(store)
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{}
	for _, c := range b.claims() {
		r.add(c)
	}
	r.close()
	return r
}

func TestHonestLedgerHolds(t *testing.T) {
	store, l := honest(t)
	if r := reckoned(t, store, l); !r.OK || r.Err() != nil || len(r.Claims) != 5 {
		t.Errorf("report %+v, want five claims that hold", r.Claims)
	}
}

func TestFalsifiedBooksBreakTheirClaim(t *testing.T) {
	anyOf := func(l *ledger) int64 {
		for id := range l.comments {
			return id
		}
		return 0
	}
	for name, falsify := range map[string]func(*social.Store, *ledger){
		"comments_lost":    func(_ *social.Store, l *ledger) { l.comments[1] = "never stored" },
		"comments_twice":   func(s *social.Store, l *ledger) { addComment(t, s, l.comments[anyOf(l)]) },
		"comments_strange": func(s *social.Store, _ *ledger) { addComment(t, s, "nobody sent it") },
		"authors_untold": func(s *social.Store, l *ledger) {
			c, _ := s.AddComment(t.Context(), "", social.Comment{Content: "pushed to nobody"})
			l.comments[c.ID] = c.Content
		},
		"people_missing": func(_ *social.Store, l *ledger) { l.people["7"] = "ghost@example.org" },
	} {
		t.Run(name, func(t *testing.T) {
			store, l := honest(t)
			falsify(store, l)
			r := reckoned(t, store, l)
			held := true
			for _, c := range r.Claims {
				if c.Name == name {
					held = c.OK
				}
			}
			if r.OK || held || r.Err() == nil {
				t.Errorf("claims %+v (%v), want %s broken", r.Claims, r.Err(), name)
			}
		})
	}
}

func TestTruthIsContentNotOnlyNumber(t *testing.T) {
	store, l := honest(t)
	for id := range l.comments {
		l.comments[id] += " with another end"
		break
	}
	r := reckoned(t, store, l)
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "1 of 3 acknowledged comments were lost; at most 0 is promised (and 2 more)") {
		t.Errorf("error %v, want one comment lost, which is strange and untold too", err)
	}
}

func TestOneIDForTwoIsAnError(t *testing.T) {
	l := newLedger()
	for i, want := range []bool{false, false, true} {
		if err := l.comment(1, fmt.Sprint("content ", i/2)); (err != nil) != want {
			t.Errorf("comment %d: %v, want an error: %v", i, err, want)
		}
		if err := l.person("1", fmt.Sprint("email ", i/2)); (err != nil) != want {
			t.Errorf("person %d: %v, want an error: %v", i, err, want)
		}
	}
}
