package bolt_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// play is the helper process of a test.
func play(role string) int {
	dir := os.Getenv("MUSTER_BOLT_TEST_DIR")
	var err error
	switch role {
	case "writer":
		err = writeUntilKilled(dir)
	case "full":
		err = writeUntilFull(dir)
	case "fixture":
		err = writeFixture(dir)
	case "upgrade":
		after, _ := time.ParseDuration(os.Getenv("MUSTER_BOLT_TEST_AFTER")) // none: never
		err = upgradeAndDie(dir, os.Getenv("MUSTER_BOLT_TEST_STEP"), after)
	case "upgrade in no room":
		err = upgradeInNoRoom(dir)
	default:
		err = fmt.Errorf("role %q is unknown", role)
	}
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

func helper(t *testing.T, ctx context.Context, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "MUSTER_BOLT_TEST_ROLE="+role, "MUSTER_BOLT_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// Instances that writeUntilKilled works on.
const switched = 8

// writeUntilKilled writes intents as fast as it can and prints each one once it is acknowledged. It registers too, so that
// the write behind is under way when it dies.
func writeUntilKilled(dir string) error {
	j, err := bolt.Open(dir, nil)
	if err != nil {
		return err
	}
	s, err := store.Open(store.Options{Journal: j})
	if err != nil {
		return err
	}
	if err := s.AwaitLoad(context.Background()); err != nil {
		return err
	}
	go func() {
		for n := 0; ; n++ {
			r := full(n % 2000)
			if _, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil }); err != nil {
				return
			}
			time.Sleep(50 * time.Microsecond)
		}
	}()
	failed := make(chan error)
	for w := range switched {
		go func() {
			key := full(w).Instance.Key()
			for n := 0; ; n++ {
				it := muster.Intent{Weight: new(n % 10000), Why: fmt.Sprintf("process %d, write %d", os.Getpid(), n)}
				if old := s.Intent(key); old != nil {
					it.Rev = old.Rev
				}
				got, err := s.SetIntent(key, it, store.Author{Claimed: "writer"})
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("ack %d %s %d %s\n", got.Rev, key.ID, *got.Weight, got.Why) // one write, one line
			}
		}()
	}
	return <-failed
}

// ack is one line of the writer.
type ack struct {
	rev    uint64
	id     string
	weight int
	why    string
}

func TestNothingAcknowledgedIsLostByKillMinus9(t *testing.T) {
	t.Parallel()
	kills := 5
	if os.Getenv("MUSTER_SOAK") == "1" {
		kills = 100
	}
	dir := t.TempDir()
	all := map[uint64]ack{}
	for i := range kills {
		acked := writeAndKill(t, dir, 20+13*(i%7))
		for _, a := range acked {
			if _, twice := all[a.rev]; twice {
				t.Fatalf("revision %d was given twice", a.rev)
			}
			all[a.rev] = a
		}
		compare(t, dir, all)
	}
	t.Logf("%d kills, %d acknowledged writes", kills, len(all))
}

// writeAndKill lets a writer acknowledge n intents and kills it in the middle of the next. It returns all it printed.
func writeAndKill(t *testing.T, dir string, n int) (acked []ack) {
	t.Helper()
	cmd := helper(t, t.Context(), "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a ack
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %s %d", &a.rev, &a.id, &a.weight); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		a.why = lines.Text()[strings.Index(lines.Text(), "process"):]
		if acked = append(acked, a); len(acked) == n {
			cmd.Process.Kill() // SIGKILL; what it printed before is still read
		}
	}
	cmd.Wait()
	if len(acked) < n {
		t.Fatalf("the writer acknowledged %d writes, want %d", len(acked), n)
	}
	return acked
}

// compare checks that the journal holds each acknowledged write, with its value and in its order, and as intents the last one
// of each key or one after it that was not acknowledged any more.
func compare(t *testing.T, dir string, acked map[uint64]ack) {
	t.Helper()
	j, err := bolt.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	audit := map[uint64]muster.AuditRecord{}
	last := map[string]muster.AuditRecord{}
	for before := uint64(0); ; {
		recs, err := j.Audit("prod", "", before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			audit[r.ID] = r
			if _, ok := last[r.Key.ID]; !ok {
				last[r.Key.ID] = r
			}
		}
		before = recs[len(recs)-1].ID
	}
	for _, rev := range slices.Sorted(maps.Keys(acked)) {
		a, r := acked[rev], audit[rev]
		if r.After == nil || r.Key.ID != a.id || *r.After.Weight != a.weight || r.After.Why != a.why {
			t.Fatalf("revision %d was acknowledged as %+v, the journal has %+v", rev, a, r)
		}
	}
	got := map[string]uint64{}
	newest, err := j.Load(loader(func(*store.Record) {}, func(k muster.Key, it *muster.Intent) {
		got[k.ID] = it.Rev
		if l := last[k.ID]; l.After == nil || intentText(l.After) != intentText(it) {
			t.Errorf("intent of %s is %s, its last audit record says %s", k.ID, intentText(it), intentText(l.After))
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for rev, a := range acked {
		if got[a.id] < rev || newest < rev {
			t.Errorf("revision %d of %s was acknowledged, the intent is at %d, the newest audit record at %d", rev, a.id, got[a.id], newest)
		}
	}
}

func TestFullDiskIsExhaustedAndTheStoreGoesOn(t *testing.T) {
	t.Parallel()
	out, err := helper(t, t.Context(), "full", t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
