package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// files are the names in a directory.
func files(t testing.TB, dir string) string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return strings.Join(names, " ")
}

func TestABackupOfABusyStoreIsOneState(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), store.Options{})
	keys := []muster.Key{full(0).Instance.Key(), full(1).Instance.Key()}
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	busy.Go(func() { // both always get the same weight, the first one first
		for n := 0; ctx.Err() == nil; n++ {
			for _, k := range keys {
				it := muster.Intent{Weight: new(n), Why: strings.Repeat("w", 900)}
				if old := s.Intent(k); old != nil {
					it.Rev = old.Rev
				}
				if _, err := s.SetIntent(k, it, store.Author{}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 10 {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, bolt.File))
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.Backup(t.Context(), f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		what, err := bolt.Examine(filepath.Join(dir, bolt.File))
		if err != nil || what.Bytes != n || what.Format != 2 || what.Version != "devel" {
			t.Fatalf("%d bytes, examined: %+v, %v", n, what, err)
		}
		j := open(t, dir, nil)
		weights, revs := map[string]int{}, uint64(0)
		newest, err := j.Load(loader(func(*store.Record) {}, func(k muster.Key, it *muster.Intent) {
			weights[k.ID] = *it.Weight
			revs = max(revs, it.Rev)
		}))
		if err != nil || newest != revs || what.Audit != int(newest) || what.Intents != len(weights) {
			t.Errorf("%d intents up to %d, audit up to %d, %v; examined: %+v", len(weights), revs, newest, err, what)
		}
		if first, second := weights[keys[0].ID], weights[keys[1].ID]; len(weights) == 2 && first != second && first != second+1 {
			t.Errorf("weights %d and %d were never there together", first, second)
		}
	}
}

func TestABackupEndsWithItsContextAndWithTheStore(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Backup(ctx, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	broken := errors.New("the reader is gone")
	if _, err := j.Backup(t.Context(), failing{broken}); !errors.Is(err, broken) {
		t.Errorf("to a reader that is gone: %v", err)
	}
	slow, taken := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := j.Backup(context.Background(), waiting{taken, slow})
		ended <- err
	}()
	<-taken
	closed := make(chan error)
	go func() { closed <- j.Close() }()
	time.AfterFunc(10*time.Millisecond, func() { close(slow) })
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("the journal was closed, the backup says %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// waiting takes a first piece and waits before it says so.
type waiting struct{ taken, until chan struct{} }

func (w waiting) Write(b []byte) (int, error) {
	close(w.taken)
	<-w.until
	return len(b), nil
}

// What is restored is what was backed up; what was there stays beside it.
func TestRestorePutsTheBackupInThePlaceOfTheDataFile(t *testing.T) {
	t.Parallel()
	for format := 1; format <= 2; format++ {
		from := filepath.Join(place(t, format), bolt.File)
		for name, prepare := range map[string]func(dir string) error{
			"nothing":         func(dir string) error { return os.RemoveAll(dir) },
			"an empty file":   func(dir string) error { return os.WriteFile(filepath.Join(dir, bolt.File), nil, 0o600) },
			"a damaged file":  func(dir string) error { return os.WriteFile(filepath.Join(dir, bolt.File), []byte("x"), 0o600) },
			"another's files": func(dir string) error { closeStore(t, serve(t, dir, store.Options{})); return nil },
		} {
			dir := filepath.Join(t.TempDir(), "data")
			if err := errors.Join(os.Mkdir(dir, 0o700), prepare(dir)); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(filepath.Join(dir, bolt.File)) // there may be none
			got, err := bolt.Restore(t.Context(), from, dir)
			if err != nil {
				t.Errorf("format %d over %s: %v", format, name, err)
				continue
			}
			want := wanted(t, format)
			if got.Format != format || got.Instances+got.Static != len(want.Records) || got.Intents != len(want.Intents) || got.Tokens != len(want.Tokens) || got.Audit != len(want.Audit) {
				t.Errorf("format %d over %s: %+v", format, name, got)
			}
			if (got.Aside == "") != (name == "nothing") {
				t.Errorf("over %s: aside %q", name, got.Aside)
			}
			if got.Aside != "" {
				if kept, err := os.ReadFile(got.Aside); err != nil || !bytes.Equal(kept, before) {
					t.Errorf("over %s: what was there is not what is aside: %v", name, err)
				}
				os.Remove(got.Aside)
			}
			if names := files(t, dir); names != bolt.File {
				t.Errorf("over %s: there are %s", name, names)
			}
			if now := contentsOf(t, dir); !reflect.DeepEqual(now, want) {
				t.Errorf("format %d over %s: it holds %s", format, name, text(t, now))
			}
		}
	}
}

func TestRestoreRefusesAndChangesNothing(t *testing.T) {
	t.Parallel()
	good, err := fixture(2)
	if err != nil {
		t.Fatal(err)
	}
	held := t.TempDir()
	open(t, held, nil)
	damaged := bytes.ReplaceAll(good, []byte(`"slow disk"`), []byte(`"slim disk"`))
	newer := bytes.ReplaceAll(good, []byte("format2"), []byte("format3"))
	write := func(b []byte) string {
		path := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := t.TempDir()
	closeStore(t, serve(t, data, store.Options{}))
	for name, c := range map[string]struct {
		from, dir string
		code      muster.Code
		text      string
	}{
		"no backup":             {filepath.Join(t.TempDir(), "none"), data, muster.NotFound, "is not there"},
		"an empty backup":       {write(nil), data, muster.Invalid, "it is empty"},
		"a letter":              {write([]byte("Dear Sir or Madam, ...")), data, muster.Invalid, `begins with "Dear Sir or Mada"`},
		"a directory":           {t.TempDir(), data, muster.Invalid, "no regular file"},
		"a damaged backup":      {write(damaged), data, muster.Internal, "damaged"},
		"half a backup":         {write(good[:len(good)/8]), data, muster.Internal, "damaged"},
		"a newer backup":        {write(newer), data, muster.Unsupported, "newer muster"},
		"a server holds it":     {write(good), held, muster.Unavailable, "another process holds it"},
		"it is the file itself": {filepath.Join(data, bolt.File), data, muster.Invalid, "itself"},
		"a server holds backup": {filepath.Join(held, bolt.File), data, muster.Unavailable, "another process holds it"},
	} {
		before, err := os.ReadFile(filepath.Join(c.dir, bolt.File))
		if err != nil {
			t.Fatal(err)
		}
		got, err := bolt.Restore(t.Context(), c.from, c.dir)
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %+v, %v; want %s with %q", name, got, err, c.code, c.text)
		}
		after, err := os.ReadFile(filepath.Join(c.dir, bolt.File))
		if err != nil || !bytes.Equal(before, after) || files(t, c.dir) != bolt.File {
			t.Errorf("%s: something changed: %v, %s", name, err, files(t, c.dir))
		}
	}
}

func TestAfterARestoreNothingExpiresForOneTTL(t *testing.T) {
	from := t.TempDir()
	s := serve(t, from, store.Options{})
	epoch := s.Epoch()
	for n := range 30 {
		register(t, s, full(n)) // ttl 90 s
	}
	closeStore(t, s)
	dir := t.TempDir()
	if _, err := bolt.Restore(t.Context(), filepath.Join(from, bolt.File), dir); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24 * time.Hour) // the backup is a day old
		j, err := bolt.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(store.Options{Journal: j, Preserve: store.Preservation{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.AwaitLoad(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Epoch() == epoch {
			t.Error("the epoch is the one of the life that was backed up")
		}
		time.Sleep(89 * time.Second)
		if n := s.State().Instances; n != 30 {
			t.Errorf("%d instances after 89 s, want 30", n)
		}
		time.Sleep(10 * time.Second)
		if n := s.State().Instances; n != 0 {
			t.Errorf("%d instances after 99 s, want none", n)
		}
	})
}

func TestExamineSaysWhatAFileHolds(t *testing.T) {
	t.Parallel()
	for format := 1; format <= 2; format++ {
		what, err := bolt.Examine(filepath.Join(place(t, format), bolt.File))
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]string{
			1: "{Format:1 Version: Bytes:65536 Namespaces:2 Instances:14 Static:0 Intents:2 Tokens:0 Audit:6 Last:2026-03-29 01:06:07.891 +0000 UTC}",
			2: "{Format:2 Version:fixture Bytes:159744 Namespaces:2 Instances:14 Static:2 Intents:2 Tokens:2 Audit:10 Last:2026-03-29 01:10:07.891 +0000 UTC}",
		}[format]
		if got := fmt.Sprintf("%+v", *what); got != want {
			t.Errorf("format %d: %s", format, got)
		}
	}
}
