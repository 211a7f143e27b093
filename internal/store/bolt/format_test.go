package bolt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// place puts the committed file of a format into a directory of its own.
func place(t testing.TB, format int) (dir string) {
	t.Helper()
	b, err := fixture(format)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, bolt.File), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents is all that a journal hands over, as text that compares.
type contents struct {
	Newest  uint64
	Records map[string]string
	Intents map[string]string
	Tokens  map[string]string
	Audit   []string
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// recordText is everything in a record that a journal keeps.
func recordText(t testing.TB, r *store.Record) string {
	in := *r.Reported()
	in.Started, in.Registered, in.Intent = in.Started.UTC(), in.Registered.UTC(), nil
	return text(t, []any{in, r.TTL, r.Interval, r.Wire, r.WireKind, r.Payer, r.Static, r.Changed.UTC()})
}

func contentsOf(t testing.TB, dir string) contents {
	t.Helper()
	j, err := bolt.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	out := contents{Records: map[string]string{}, Intents: map[string]string{}, Tokens: map[string]string{}}
	out.Newest, err = j.Load(store.Loader{
		Record: func(r *store.Record) { out.Records[r.Instance.Key().String()] = recordText(t, r) },
		Intent: func(k muster.Key, it *muster.Intent) { out.Intents[k.String()] = text(t, it) },
		Token:  func(token *store.Token) { out.Tokens[token.Name] = text(t, token) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"default", "prod-2"} {
		recs, err := j.Audit(ns, "", 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			out.Audit = append(out.Audit, text(t, r))
		}
	}
	slices.Sort(out.Audit)
	return out
}

// wanted is what the file of a format must hold: what writeFixture wrote.
func wanted(t testing.TB, format int) contents {
	t.Helper()
	out := contents{Records: map[string]string{}, Intents: map[string]string{}, Tokens: map[string]string{}}
	batches, acts := fixtureRecords(), fixtureActs()
	if format >= 2 {
		batches, acts = append(batches, fixtureRecords2()...), append(acts, fixtureActs2()...)
	}
	for _, b := range batches {
		for _, r := range b.Put {
			out.Records[r.Instance.Key().String()] = recordText(t, r)
		}
		for _, k := range b.Delete {
			delete(out.Records, k.String())
		}
	}
	for _, a := range acts {
		if a.Audit.ID != 0 {
			out.Newest = a.Audit.ID
			out.Audit = append(out.Audit, text(t, a.Audit))
		}
		if a.Intent {
			delete(out.Intents, a.Audit.Key.String())
			if a.Audit.After != nil {
				out.Intents[a.Audit.Key.String()] = text(t, a.Audit.After)
			}
		}
		if a.Token != nil {
			out.Tokens[a.Token.Name] = text(t, a.Token)
		}
		delete(out.Tokens, a.Revoke)
		if a.Put != nil {
			out.Records[a.Put.Instance.Key().String()] = recordText(t, a.Put)
		}
		delete(out.Records, a.Delete.String())
	}
	slices.Sort(out.Audit)
	return out
}

// Every value of every format that muster ever wrote is read as it was meant.
func TestTheFileOfEachFormatIsRead(t *testing.T) {
	t.Parallel()
	for format := 1; format <= 2; format++ {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			dir, want := place(t, format), wanted(t, format)
			for _, when := range []string{"opened first", "opened again"} {
				if got := contentsOf(t, dir); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: it holds\n%s\nwant\n%s", when, text(t, got), text(t, want))
				}
			}
			s := serve(t, dir, store.Options{})
			if n := s.State().Instances; n != len(want.Records) {
				t.Errorf("a store has %d instances of it, want %d", n, len(want.Records))
			}
		})
	}
	if _, err := fixture(3); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file of format 3, and this test does not look at it: %v", err)
	}
}

// copies are the copies that upgrades made.
func copies(t testing.TB, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, bolt.File+".format1-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnUpgradeKeepsACopyAndSaysHowToGoBack(t *testing.T) {
	t.Parallel()
	dir := place(t, 1)
	var log bytes.Buffer
	j, err := bolt.Open(dir, &bolt.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	made := copies(t, dir)
	if len(made) != 1 || strings.HasSuffix(made[0], ".partial") {
		t.Fatalf("copies %q, want one", made)
	}
	if !strings.Contains(log.String(), made[0]) || !strings.Contains(log.String(), "to go back") {
		t.Errorf("the log says %s", log.String())
	}
	contentsOf(t, dir)
	if again := copies(t, dir); len(again) != 1 {
		t.Errorf("opened again, there are copies %q", again)
	}
	back := t.TempDir() // the copy is of format 1 still, with all that was in it
	if err := os.Rename(made[0], filepath.Join(back, bolt.File)); err != nil {
		t.Fatal(err)
	}
	if got := contentsOf(t, back); !reflect.DeepEqual(got, wanted(t, 1)) || len(copies(t, back)) != 1 {
		t.Errorf("the copy holds %s, and made copies %q", text(t, got), copies(t, back))
	}
}

// upgradeAndDie upgrades a file and dies when the log says step, or after that many microseconds.
func upgradeAndDie(dir, step string, after time.Duration) error {
	if after > 0 {
		go func() {
			time.Sleep(after)
			die()
		}()
	}
	j, err := bolt.Open(dir, &bolt.Options{Log: slog.New(deadly(step))})
	if err != nil {
		return err
	}
	return j.Close()
}

// deadly is a log that kills the process when it is told its text.
type deadly string

func (d deadly) Enabled(context.Context, slog.Level) bool { return true }
func (d deadly) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d deadly) WithGroup(string) slog.Handler            { return d }

func (d deadly) Handle(_ context.Context, r slog.Record) error {
	if d != "" && strings.Contains(r.Message, string(d)) {
		die()
	}
	return nil
}

// die is kill -9 of this process.
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}

func TestAnUpgradeThatIsKilledAnywhereLeavesAFileThatOpens(t *testing.T) {
	t.Parallel()
	want := wanted(t, 1)
	dieing := func(t *testing.T, env ...string) (finished bool) {
		dir := place(t, 1)
		for range 2 { // and once more where it died
			cmd := helper(t, t.Context(), "upgrade", dir)
			cmd.Env = append(cmd.Env, env...)
			finished = cmd.Run() == nil
		}
		if got := contentsOf(t, dir); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: it holds %s", env, text(t, got))
		}
		if len(copies(t, dir)) == 0 {
			t.Errorf("%v: no copy was made", env)
		}
		return finished
	}
	for _, step := range []string{"has an older format", "is copied", "is upgraded"} {
		// The third is said once all is done, so the second time nothing is left to say.
		if finished := dieing(t, "MUSTER_BOLT_TEST_STEP="+step); finished != (step == "is upgraded") {
			t.Errorf("killed at %q: finished %v", step, finished)
		}
	}
	kills := 6
	if os.Getenv("MUSTER_SOAK") == "1" {
		kills = 100
	}
	for i := range kills {
		dieing(t, fmt.Sprintf("MUSTER_BOLT_TEST_AFTER=%dus", 200+i*7919%20000))
	}
}

// What an upgrade has no room for leaves the file as it was.
func TestAnUpgradeWithoutRoomForTheCopyIsRefused(t *testing.T) {
	t.Parallel()
	dir := place(t, 1)
	before, err := fixture(1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := helper(t, t.Context(), "upgrade in no room", dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(dir, bolt.File))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %v", err)
	}
	if got := contentsOf(t, dir); !reflect.DeepEqual(got, wanted(t, 1)) {
		t.Errorf("with room again it holds %s", text(t, got))
	}
}
