package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/muster-go/muster/examples/social"
)

// ledger is what callers were told is done: every comment and every person that a service acknowledged. Safe for concurrent
// use.
type ledger struct {
	mu       sync.Mutex        // guards what follows
	comments map[int64]string  // id → content, which no two comments share
	doubtful map[string]bool   // contents of which no answer came: stored or not, nobody was told
	people   map[string]string // u_id → email
}

func newLedger() *ledger {
	return &ledger{comments: map[int64]string{}, doubtful: map[string]bool{}, people: map[string]string{}}
}

// comment notes an acknowledged comment.
//
// Errors: its id was given to another comment before.
func (l *ledger) comment(id int64, content string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.comments[id]; ok && other != content {
		return fmt.Errorf("comment id %d was given to %q and to %q", id, other, content)
	}
	l.comments[id] = content
	return nil
}

// doubt notes a comment that may be stored or not.
func (l *ledger) doubt(content string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubtful[content] = true
}

// person notes an acknowledged registration.
//
// Errors: the id belongs to somebody else.
func (l *ledger) person(id, email string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.people[id]; ok && other != email {
		return fmt.Errorf("user id %s was given to %s and to %s", id, other, email)
	}
	l.people[id] = email
	return nil
}

// balance is how a ledger compares with what is stored.
type balance struct {
	acknowledged int // comments
	stored       int // comments
	lost         int // acknowledged, and not stored with that id and content
	twice        int // stored more than once
	strange      int // stored, and neither acknowledged nor doubtful
	doubtful     int // no answer came
	untold       int // acknowledged comments whose author was not told exactly once
	people       int // acknowledged
	missing      int // of them, not stored, or as somebody else
}

// compare holds the ledger against a store. Nobody may write to either meanwhile.
func (l *ledger) compare(store *social.Store) (balance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := balance{acknowledged: len(l.comments), doubtful: len(l.doubtful), people: len(l.people)}
	ctx := context.Background() // a store in memory does not wait
	stored, err := store.Comments(ctx)
	if err != nil {
		return b, err
	}
	b.stored = len(stored)
	byID := make(map[int64]string, len(stored))
	copies := make(map[string]int, len(stored))
	for _, c := range stored {
		if _, ok := byID[c.ID]; ok || copies[c.Content] > 0 {
			b.twice++
		}
		byID[c.ID] = c.Content
		copies[c.Content]++
		if l.comments[c.ID] != c.Content && !l.doubtful[c.Content] {
			b.strange++
		}
	}
	told := make(map[string]int)
	pushes, err := store.Pushes(ctx)
	if err != nil {
		return b, err
	}
	for _, p := range pushes {
		told[p.Content]++
	}
	for id, content := range l.comments {
		if byID[id] != content {
			b.lost++
		}
		if told[content] != 1 {
			b.untold++
		}
	}
	for id, email := range l.people {
		data, err := store.User(ctx, id)
		var person struct{ Email string }
		if err != nil || json.Unmarshal(data, &person) != nil || person.Email != email {
			b.missing++
		}
	}
	return b, nil
}

// claims says of a balance what must hold.
func (b balance) claims() []Claim {
	return []Claim{
		atMost("comments_lost", fmt.Sprintf("of %d acknowledged comments were lost", b.acknowledged), "", float64(b.lost), 0),
		atMost("comments_twice", fmt.Sprintf("of %d stored comments were stored twice", b.stored), "", float64(b.twice), 0),
		atMost("comments_strange", "comments are stored that nobody was told of", "", float64(b.strange), 0),
		atMost("authors_untold", "authors were not told of a comment, or told twice", "", float64(b.untold), 0),
		atMost("people_missing", fmt.Sprintf("of %d people who registered cannot be found", b.people), "", float64(b.missing), 0),
	}
}
