package store

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// intents are what operators want, by folded key. They outlive the instances they are about.
type intents struct {
	mu    sync.RWMutex // guards what follows; taken after space.mu, held for a map access only
	byKey map[muster.Key]wanted
	count map[string]int // by folded namespace
}

// wanted is an intent with its key as it was last written.
type wanted struct {
	key    muster.Key
	intent *muster.Intent
}

func (i *intents) init() { i.byKey, i.count = map[muster.Key]wanted{}, map[string]int{} }

func (i *intents) get(key muster.Key) *muster.Intent {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if len(i.byKey) == 0 {
		return nil
	}
	return i.byKey[key.Fold()].intent
}

func (i *intents) set(key muster.Key, it *muster.Intent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fold := key.Fold()
	_, there := i.byKey[fold]
	switch {
	case it != nil && !there:
		i.count[fold.Namespace]++
	case it == nil && there:
		if i.count[fold.Namespace]--; i.count[fold.Namespace] == 0 {
			delete(i.count, fold.Namespace)
		}
	}
	if it == nil {
		delete(i.byKey, fold)
		return
	}
	i.byKey[fold] = wanted{key, it}
}

// of returns how many there are in a namespace, by its folded name.
func (i *intents) of(namespace string) int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.count[namespace]
}

func (i *intents) size() int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.byKey)
}

// over returns the intents whose time is over, oldest first, and when the next one's will be (zero: none).
func (i *intents) over(now time.Time) (over []wanted, next time.Time) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, w := range i.byKey {
		switch until := w.intent.Until; {
		case until.IsZero():
		case !until.After(now):
			over = append(over, w)
		case next.IsZero() || until.Before(next):
			next = until
		}
	}
	slices.SortFunc(over, func(a, b wanted) int { return cmp.Compare(a.intent.Rev, b.intent.Rev) })
	return over, next
}

// Intent returns what an operator wants for key, or nil. The instance need not be registered.
func (s *Store) Intent(key muster.Key) *muster.Intent { return s.intents.get(key) }

// Intents returns all intents of a namespace by folded key ([muster.Key.Fold]), also those for instances not registered. The
// map is the caller's.
func (s *Store) Intents(namespace string) map[muster.Key]*muster.Intent {
	namespace = muster.Fold(namespace)
	s.intents.mu.RLock()
	defer s.intents.mu.RUnlock()
	out := map[muster.Key]*muster.Intent{}
	for k, w := range s.intents.byKey {
		if k.Namespace == namespace {
			out[k] = w.intent
		}
	}
	return out
}

// Author is who does something to an instance that is not theirs.
type Author struct {
	Proven  string // as far as the face could prove it
	Claimed string // as the caller said
	Op      string // what the audit calls it; "" means "intent"
	Why     string // the act's reason, for the audit; "" means the intent's
}

func (a Author) name() string {
	if a.Proven != "" {
		return a.Proven
	}
	return a.Claimed
}

// SetIntent writes it in place of the intent whose Rev is it.Rev (0: there is none) and returns it as stored. An empty one
// removes the record; what is returned then has Rev 0, for the write after it. It is synced in the journal together with its
// audit record before anybody sees it and before SetIntent returns. Rev is the number of that audit record. An intent with
// Until gives way by itself then to its Then ([muster.Intent.Beneath]), or to nothing, audited as "expired".
//
// Errors: Conflict (the stored Rev differs; read again), Invalid, Exhausted (too many, or the disk is full: nothing was
// written), Unavailable, Closed.
func (s *Store) SetIntent(key muster.Key, it muster.Intent, who Author) (*muster.Intent, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	it.By = who.name()
	if err := it.Validate(); err != nil {
		return nil, err
	}
	if err := (&muster.Intent{Why: who.Why}).Validate(); err != nil {
		return nil, err
	}
	if !it.Until.IsZero() && !it.Until.After(time.Now()) {
		return nil, invalid("until %s has passed", it.Until.UTC().Format(time.RFC3339))
	}
	return s.do(&act{key: key, intent: &it, who: who})
}

// Record keeps an audit record of something else that an operator did, synced before it returns. ID and At are set here. What
// was done to the server or a namespace as a whole has a Key without a service.
//
// Errors: Invalid, Exhausted (the disk is full), Unavailable, Closed.
func (s *Store) Record(rec muster.AuditRecord) error {
	if err := checkAudited(rec.Key); err != nil {
		return err
	}
	_, err := s.do(&act{key: rec.Key, audit: rec})
	return err
}

// Audit returns at most limit audit records of a namespace, newest first: older than before (0: from the newest) and about
// that service unless it is "". limit is held to 1..1000; 0 means 100.
//
// Errors: Unavailable.
func (s *Store) Audit(namespace, service string, before uint64, limit int) ([]muster.AuditRecord, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 100
	}
	return s.journal.Audit(namespace, service, before, min(limit, 1000))
}

// checkAudited is checkKey for audit records, which may be about the server or a namespace as a whole: they have no service then,
// and as ID what was changed, or nothing.
func checkAudited(key muster.Key) error {
	switch {
	case key.Service != "":
		return checkKey(key)
	case key.ID != "":
		if err := muster.CheckID(key.ID); err != nil {
			return err
		}
	}
	return muster.CheckNamespace(key.Namespace)
}

// act is one thing for the scribe to write: the first of intent, token, revoke and lasting that is there, else audit alone.
type act struct {
	key     muster.Key
	intent  *muster.Intent
	token   *Token   // to add
	revoke  string   // name of the token to remove
	lasting *lasting // a change to a static record
	audit   muster.AuditRecord
	who     Author
	answer  chan answer // holds one
}

type answer struct {
	intent *muster.Intent
	err    error
}

// do hands the act to the scribe and waits until it is written.
func (s *Store) do(a *act) (*muster.Intent, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	a.answer = make(chan answer, 1)
	select {
	case s.acts <- a:
	case <-s.ctx.Done():
		return nil, closed("")
	}
	out := <-a.answer // the scribe answers whatever it took
	return out.intent, out.err
}

// idle reports whether the act removes what is not there.
func (a *act) idle(current *muster.Intent) bool {
	return a.intent != nil && a.intent.Rev == 0 && a.intent.Empty() && current == nil
}

// resolve checks an act about an intent against the one that is there and says what to write.
func (a *act) resolve(current *muster.Intent, room bool, id uint64, now time.Time) (Act, error) {
	var rev uint64
	if current != nil {
		rev = current.Rev
	}
	if a.intent.Rev != rev {
		return Act{}, &muster.Error{Service: a.key.Service, Instance: a.key.ID, Code: muster.Conflict, Err: stale(a.intent.Rev, current)}
	}
	if current == nil && !room && !a.intent.Empty() {
		return Act{}, &muster.Error{Service: a.key.Service, Instance: a.key.ID, Code: muster.Exhausted, Err: fmt.Errorf("%d intents are kept already; remove some first", MaxIntents)}
	}
	var stored *muster.Intent
	if !a.intent.Empty() {
		next := *a.intent
		next.At, next.Rev = now, id
		next.Then = next.Beneath(current)
		stored = &next
	}
	return Act{Intent: true, Audit: muster.AuditRecord{
		ID: id, At: now, Op: cmp.Or(a.who.Op, "intent"), Key: a.key, Proven: a.who.Proven, Claimed: a.who.Claimed,
		Why: cmp.Or(a.who.Why, a.intent.Why), Before: current, After: stored,
	}}, nil
}

// resolveToken checks an act about a token against those that are there and says what to write.
func (a *act) resolveToken(all []*Token, id uint64, now time.Time) (Act, error) {
	rec := muster.AuditRecord{ID: id, At: now, Op: a.who.Op, Key: a.key, Proven: a.who.Proven, Claimed: a.who.Claimed, Why: a.who.Why}
	if a.token != nil {
		if err := a.token.clash(all); err != nil {
			return Act{}, err
		}
		added := *a.token
		added.Created = now
		rec.Why, rec.Detail = cmp.Or(rec.Why, added.Why), added.detail()
		return Act{Audit: rec, Token: &added}, nil
	}
	for _, t := range all {
		if muster.EqualFold(t.Name, a.revoke) {
			rec.Key, rec.Detail = t.auditKey(), t.detail()
			return Act{Audit: rec, Revoke: t.Name}, nil
		}
	}
	return Act{}, &muster.Error{Op: "remove token", Code: muster.NotFound, Err: fmt.Errorf("%q: %w", a.revoke, errNoToken)}
}

// outcome is the intent to answer with once the act is written.
func (a *act) outcome(written Act) *muster.Intent {
	if a.intent == nil || written.Audit.After != nil {
		return written.Audit.After
	}
	return &muster.Intent{By: a.intent.By, Why: written.Audit.Why, At: written.Audit.At}
}

func stale(rev uint64, current *muster.Intent) error {
	if current == nil {
		return fmt.Errorf("the intent with revision %d is not there any more; read it again", rev)
	}
	return fmt.Errorf("the intent has revision %d, written by %q at %s, not %d; read it again", current.Rev, current.By, current.At.UTC().Format(time.RFC3339), rev)
}

// attach gives the record at key, if there is one, the intent that is there now.
func (s *Store) attach(key muster.Key) {
	sp := s.space(key.Namespace)
	if sp == nil {
		return
	}
	changed := sp.amend(key, func(old *Record) *Record {
		if old == nil || old.Instance.Intent == s.intents.get(key) {
			return old
		}
		return old.Next(nil)
	})
	if changed {
		sp.announce()
	}
}
