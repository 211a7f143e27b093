package store_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a journal that several lives of a store share. Its hooks run before each use; store/bolt has the real one's tests.
type kept struct {
	mu      sync.Mutex
	records map[muster.Key]*store.Record
	intents map[muster.Key]*muster.Intent
	tokens  map[string]*store.Token
	audit   []muster.AuditRecord
	writes  int // batches

	onLoad  func()
	onWrite func() error
	onSync  func() error
}

func newKept() *kept {
	return &kept{
		records: map[muster.Key]*store.Record{},
		intents: map[muster.Key]*muster.Intent{},
		tokens:  map[string]*store.Token{},
		onLoad:  func() {},
		onWrite: func() error { return nil },
		onSync:  func() error { return nil },
	}
}

// on sets a hook while the store runs.
func (j *kept) on(hook *func() error, f func() error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	*hook = f
}

func (j *kept) hook(hook *func() error) error {
	j.mu.Lock()
	f := *hook
	j.mu.Unlock()
	return f()
}

func (j *kept) Load(into store.Loader) (newest uint64, err error) {
	j.onLoad()
	for k, it := range j.intents {
		into.Intent(k, it)
	}
	for _, t := range j.tokens {
		into.Token(t)
	}
	for _, r := range j.records {
		into.Record(&store.Record{Instance: r.Reported().Clone(), TTL: r.TTL, Interval: r.Interval, Wire: r.Wire, WireKind: r.WireKind, Payer: r.Payer, Static: r.Static})
	}
	if n := len(j.audit); n > 0 {
		newest = j.audit[n-1].ID
	}
	return newest, nil
}

func (j *kept) Write(b store.Batch) error {
	if err := j.hook(&j.onWrite); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writes++
	for k, r := range j.records {
		if b.Replace && !r.Static && muster.EqualFold(k.Namespace, b.Namespace) {
			delete(j.records, k)
		}
	}
	for _, k := range b.Delete {
		delete(j.records, k.Fold())
	}
	for _, r := range b.Put {
		j.records[r.Instance.Key().Fold()] = r
	}
	return nil
}

func (j *kept) Sync(acts []store.Act) error {
	if err := j.hook(&j.onSync); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range acts {
		if a.Audit.ID != 0 {
			j.audit = append(j.audit, a.Audit)
		}
		if a.Token != nil {
			j.tokens[muster.Fold(a.Token.Name)] = a.Token
		}
		if a.Revoke != "" {
			delete(j.tokens, muster.Fold(a.Revoke))
		}
		if a.Put != nil {
			j.records[a.Put.Instance.Key().Fold()] = a.Put
		}
		delete(j.records, a.Delete.Fold())
		switch k := a.Audit.Key.Fold(); {
		case !a.Intent:
		case a.Audit.After == nil:
			delete(j.intents, k)
		default:
			j.intents[k] = a.Audit.After
		}
	}
	return nil
}

func (j *kept) Audit(namespace, service string, before uint64, limit int) (out []muster.AuditRecord, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.audit) - 1; i >= 0 && len(out) < limit; i-- {
		if store.About(&j.audit[i], namespace, service, before) {
			out = append(out, j.audit[i])
		}
	}
	return out, nil
}

func (j *kept) Backup(context.Context, io.Writer) (int64, error) { return 0, nil }

func (j *kept) Tidy() (more bool, err error) { return false, nil }

func (j *kept) Close() error { return nil }

func (j *kept) at(k muster.Key) *store.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.records[k.Fold()]
}

func (j *kept) size() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.records)
}

// life opens a store on j and waits until it is loaded.
func life(t testing.TB, j store.Journal, opt store.Options) *store.Store {
	t.Helper()
	opt.Journal = j
	s := opened(t, opt)
	if err := s.AwaitLoad(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func key(service, id string) muster.Key {
	return muster.Key{Namespace: "default", Service: service, ID: id}
}

func record(k muster.Key, ttl time.Duration) *store.Record {
	return &store.Record{
		Instance: &muster.Instance{Namespace: k.Namespace, Service: k.Service, ID: k.ID, Status: muster.Up},
		TTL:      ttl,
	}
}

func owned(k muster.Key, ttl time.Duration, owner string) *store.Record {
	r := record(k, ttl)
	r.Instance.Owner = owner
	return r
}

func register(t testing.TB, s *store.Store, r *store.Record) *store.Record {
	t.Helper()
	got, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil })
	if err != nil {
		t.Fatalf("register %v: %v", r.Instance.Key(), err)
	}
	return got
}

func deregister(t testing.TB, s *store.Store, k muster.Key) {
	t.Helper()
	if _, err := s.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
		t.Fatalf("deregister %v: %v", k, err)
	}
}

func wantCode(t testing.TB, what string, err error, want muster.Code) {
	t.Helper()
	if got := muster.CodeOf(err); got != want {
		t.Errorf("%s: %v (code %q), want code %q", what, err, got, want)
	}
}

func (j *kept) has(k muster.Key) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.records[k.Fold()] != nil
}
