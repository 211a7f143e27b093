package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

func open(t testing.TB, dir string, opt *bolt.Options) *bolt.Journal {
	t.Helper()
	j, err := bolt.Open(dir, opt)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func serve(t testing.TB, dir string, opt store.Options) *store.Store {
	t.Helper()
	opt.Journal = open(t, dir, nil)
	s, err := store.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.AwaitLoad(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// loader hands records and intents on, and leaves tokens.
func loader(record func(*store.Record), intent func(muster.Key, *muster.Intent)) store.Loader {
	return store.Loader{Record: record, Intent: intent, Token: func(*store.Token) {}}
}

func full(n int) *store.Record {
	return &store.Record{
		Instance: &muster.Instance{
			Namespace: "Prod", Service: "Orders", ID: fmt.Sprintf("i/%03d", n),
			Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:80"}, {Scheme: "thrift", Address: "[2001:db8::9]:9090"}},
			Status:    muster.Up, Zone: "eu-1a", Version: "2.4.1", Tier: 1, Weight: new(0), Owner: "owner-1",
			Metadata: map[string]string{"größe": "1 µm", "@class": "x"},
			Started:  time.Date(2024, 2, 29, 23, 59, 59, 987e6, time.UTC), Override: muster.OutOfService,
		},
		TTL: 90 * time.Second, Interval: 30 * time.Second, Wire: []byte{0, 1, 0xff}, WireKind: "eureka",
	}
}

func register(t testing.TB, s *store.Store, r *store.Record) *store.Record {
	t.Helper()
	got, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsIntentsAndAuditSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	was := register(t, s, full(1))
	register(t, s, full(2))
	key, absent := full(1).Instance.Key(), muster.Key{Namespace: "Prod", Service: "stock", ID: "not registered"}
	it := muster.Intent{Enabled: new(false), Weight: new(3), Note: "n", Why: "w", Until: time.Now().Add(time.Hour).Round(0)}
	stored, err := s.SetIntent(key, it, store.Author{Proven: "ann", Op: "disable"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetIntent(absent, muster.Intent{Note: "later"}, store.Author{Claimed: "bob"}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	again := serve(t, dir, store.Options{})
	got := again.Get(key)
	if got == nil {
		t.Fatal("the record is gone")
	}
	if a, b := describe(got), describe(was); a != strings.Replace(b, "intent <nil>", "intent "+intentText(stored), 1) {
		t.Errorf("after the restart\n%s\nbefore\n%s\nwith intent %s", a, b, intentText(stored))
	}
	if again.Epoch() == s.Epoch() {
		t.Error("the epoch is the same as before the restart")
	}
	if _, _, ok := again.Changes("Prod", s.Epoch(), 0); ok {
		t.Error("the feed pretends to know what happened in another life")
	}
	if n := len(again.View("prod").Services[0].Records); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
	if got := again.Intent(absent); got == nil || got.Note != "later" || got.By != "bob" {
		t.Errorf("the intent for an instance not registered is %s", intentText(got))
	}
	recs, err := again.Audit("prod", "", 0, 10)
	if err != nil || len(recs) != 2 || recs[1].Op != "disable" || recs[1].Proven != "ann" || intentText(recs[1].After) != intentText(stored) {
		t.Errorf("audit %+v, %v", recs, err)
	}
	if code := again.RenewHandle(was.Handle); code != muster.NotFound {
		t.Errorf("a handle from before the restart: %q, want not_found", code)
	}
	next, err := again.SetIntent(key, muster.Intent{Rev: stored.Rev}, store.Author{})
	if err != nil || next.Rev != 0 {
		t.Errorf("removing the intent with its Rev from before the restart: %+v, %v", next, err)
	}
}

func TestWhatWasDeregisteredDoesNotComeBack(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	for n := range 1500 {
		register(t, s, full(n))
	}
	for n := range 1400 {
		if _, err := s.Update(full(n).Instance.Key(), func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	if got := serve(t, dir, store.Options{}).State().Instances; got != 100 {
		t.Errorf("%d instances after the restart, want 100", got)
	}
}

func TestRecordsAreOnDiskWithinASecondWithoutClose(t *testing.T) { synctest.Test(t, testWrittenBehind) }

func testWrittenBehind(t *testing.T) {
	j := open(t, t.TempDir(), nil)
	wrote := make(chan int, 100)
	s, err := store.Open(store.Options{Journal: &tapped{Journal: j, wrote: wrote}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.AwaitLoad(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	register(t, s, full(1))
	select {
	case <-wrote:
		if d := time.Since(begin); d < 100*time.Millisecond { // and more than a second is the other case
			t.Errorf("written after %v: batches should wait for company", d)
		}
	case <-time.After(time.Second + time.Nanosecond):
		t.Fatal("not written after a second")
	}
}

// tapped tells of each batch that was written.
type tapped struct {
	*bolt.Journal
	wrote chan int
}

func (j *tapped) Write(b store.Batch) error {
	err := j.Journal.Write(b)
	j.wrote <- len(b.Put)
	return err
}

func TestASecondProcessIsRefusedWithTheFilesName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, nil)
	_, err := bolt.Open(dir, nil)
	if !errors.Is(err, muster.Unavailable) || !strings.Contains(err.Error(), filepath.Join(dir, bolt.File)) ||
		!strings.Contains(err.Error(), "another process holds it") {
		t.Errorf("a second Open: %v", err)
	}
}

func TestFormatsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(tx *bbolt.Tx) error
		code    muster.Code
		text    string
	}{
		"newer": {func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("meta"))
			if err != nil {
				return err
			}
			return b.Put([]byte("format"), []byte("3"))
		}, muster.Unsupported, "format 3, this program reads up to 2; use the muster that wrote it"},
		"newer, and says which": {func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("meta"))
			if err != nil {
				return err
			}
			return errors.Join(b.Put([]byte("format"), []byte("3")), b.Put([]byte("version"), []byte("v9.8.7")))
		}, muster.Unsupported, "use muster v9.8.7, or a newer one"},
		"foreign": {func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("grafana")); return err }, muster.Invalid, `"grafana"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := bbolt.Open(filepath.Join(dir, bolt.File), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(c.prepare), db.Close()); err != nil {
				t.Fatal(err)
			}
			for _, opt := range []*bolt.Options{nil, {Recover: true}} {
				if _, err := bolt.Open(dir, opt); !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("Open with %+v: %v; want %s with %q", opt, err, c.code, c.text)
				}
			}
		})
	}
}

// Whatever is done to the file, opening and loading it ends in an error that names it or in every intent as it was. With
// Recover it always opens, and no intent is there that was never written.
func TestDamageIsNoticedAndNeverInventsAnIntent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	want := map[string]bool{}
	for n := range 60 {
		register(t, s, full(n))
		it, err := s.SetIntent(full(n).Instance.Key(), muster.Intent{Weight: new(n), Why: strings.Repeat("why ", 50)}, store.Author{Claimed: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		want[full(n).Instance.ID+" "+intentText(it)] = true
	}
	closeStore(t, s)
	whole, err := os.ReadFile(filepath.Join(dir, bolt.File))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	used := len(bytes.TrimRight(whole, "\x00"))
	random := rand.New(rand.NewPCG(1, 2))
	damage := map[string]func([]byte) []byte{
		"empty but there": func(b []byte) []byte { return b[:1] },
		"one page":        func(b []byte) []byte { return b[:page] },
		"cut short":       func(b []byte) []byte { return b[:used/2/page*page] },
		"cut in a page":   func(b []byte) []byte { return b[:used/2+17] },
		"both metas gone": func(b []byte) []byte { clear(b[:2*page]); return b },
		"text":            func([]byte) []byte { return []byte("this is not a database, it is a letter to the reader") },
	}
	for i := range 30 {
		damage[fmt.Sprintf("bytes %d", i)] = func(b []byte) []byte {
			for range 1 + i%7 {
				at := random.IntN(used - 8)
				for k := range 8 {
					b[at+k] ^= byte(1 + random.IntN(255))
				}
			}
			return b
		}
	}
	refused := 0
	for name, spoil := range damage {
		bytesOf := spoil(bytes.Clone(whole))
		check := func(opt *bolt.Options) error {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, bolt.File), bytesOf, 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := bolt.Open(dir, opt)
			if err != nil {
				return named(t, name, dir, err)
			}
			defer j.Close()
			got := 0
			_, err = j.Load(loader(func(*store.Record) {}, func(k muster.Key, it *muster.Intent) {
				if got++; !want[k.ID+" "+intentText(it)] {
					t.Errorf("%s: an intent that was never written: %v %s", name, k, intentText(it))
				}
			}))
			if err != nil {
				return named(t, name, dir, err)
			}
			if opt == nil && got != len(want) {
				t.Errorf("%s: opened without an error, with %d of %d intents", name, got, len(want))
			}
			return nil
		}
		if check(nil) != nil {
			refused++
			if err := check(&bolt.Options{Recover: true}); err != nil {
				t.Errorf("%s: with Recover: %v", name, err)
			}
		}
	}
	if refused < 6 {
		t.Errorf("only %d of %d damaged files were refused: the test spoils too little", refused, len(damage))
	}
}

func named(t *testing.T, name, dir string, err error) error {
	if !strings.Contains(err.Error(), filepath.Join(dir, bolt.File)) || muster.CodeOf(err) != muster.Internal {
		t.Errorf("%s: error %q (%s) does not name the file or has the wrong code", name, err, muster.CodeOf(err))
	}
	return err
}

func TestRecoverKeepsTheDamagedFileAndSaysWhatItSaved(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	for n := range 20 {
		if _, err := s.SetIntent(full(n).Instance.Key(), muster.Intent{Weight: new(n)}, store.Author{}); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	path := filepath.Join(dir, bolt.File)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := bytes.Index(b, []byte(`"i/007","w":7`)); at >= 0; at = bytes.Index(b, []byte(`"i/007","w":7`)) {
		b[at+len(`"i/007","w":7`)-1] = '8'
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir, nil)
	if _, err := j.Load(loader(func(*store.Record) {}, func(muster.Key, *muster.Intent) {})); !errors.Is(err, muster.Internal) || !strings.Contains(err.Error(), "i/007") {
		t.Errorf("loading with one intent falsified: %v", err)
	}
	j.Close()
	var log bytes.Buffer
	j = open(t, dir, &bolt.Options{Recover: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	got := 0
	if _, err := j.Load(loader(func(*store.Record) {}, func(muster.Key, *muster.Intent) { got++ })); err != nil || got != 19 {
		t.Errorf("with Recover: %d intents, %v; want 19", got, err)
	}
	if !strings.Contains(log.String(), "i/007") {
		t.Errorf("the log does not name what was lost: %s", log.String())
	}
}

func describe(r *store.Record) string {
	in := r.Instance
	return fmt.Sprintf("%v %v %v zone %s version %s tier %d weight %d owner %s meta %v started %s registered %s override %v intent %s ttl %v interval %v wire %x %s changed %s",
		in.Key(), in.Endpoints, in.Status, in.Zone, in.Version, in.Tier, *in.Weight, in.Owner, in.Metadata, in.Started.UTC(), in.Registered.UTC(),
		in.Override, intentText(in.Intent), r.TTL, r.Interval, r.Wire, r.WireKind, r.Instance.Registered.UTC())
}

func intentText(it *muster.Intent) string {
	if it == nil {
		return "<nil>"
	}
	out := fmt.Sprintf("rev %d at %s until %s by %s why %s note %s", it.Rev, it.At.UTC(), it.Until.UTC(), it.By, it.Why, it.Note)
	if it.Enabled != nil {
		out += fmt.Sprint(" enabled ", *it.Enabled)
	}
	if it.Weight != nil {
		out += fmt.Sprint(" weight ", *it.Weight)
	}
	return out
}
