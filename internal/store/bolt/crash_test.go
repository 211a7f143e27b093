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
	case "recover in no room":
		err = recoverInNoRoom(dir)
	case "start in no room":
		err = startInNoRoom(dir)
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
	go func() { failed <- changeUntilKilled(s) }()
	return <-failed
}

// changeUntilKilled makes and revokes tokens, registers and deregisters static instances, one after the other, and prints the
// number of each change once it is acknowledged.
func changeUntilKilled(s *store.Store) error {
	for i := 0; ; i++ {
		if err := change(os.Getpid(), i).do(s); err != nil {
			return err
		}
		fmt.Printf("did %d %d\n", os.Getpid(), i)
	}
}

// changed is one of them: the thing of that name comes, or goes.
type changed struct {
	name   string
	static bool // else a token
	comes  bool
}

// change is number i of a process: a token and a static instance come, and of every second pair both go again.
func change(pid, i int) changed {
	pair := i / 6
	name := fmt.Sprintf("p%d-%d", pid, 2*pair+i%6/2%2)
	if i%6 >= 4 {
		name = fmt.Sprintf("p%d-%d", pid, 2*pair)
	}
	return changed{name, i%2 == 1, i%6 < 4}
}

func (c changed) do(s *store.Store) error {
	switch {
	case c.static:
		k := muster.Key{Namespace: "Prod", Service: "Printer", ID: c.name}
		_, err := s.Update(k, func(old *store.Record) (*store.Record, error) {
			if (old != nil) == c.comes {
				return nil, fmt.Errorf("static %s: there already or not there", c.name)
			}
			if !c.comes {
				return nil, nil
			}
			return &store.Record{Instance: &muster.Instance{Namespace: k.Namespace, Service: k.Service, ID: k.ID, Status: muster.Up}, Static: true}, nil
		})
		return err
	case c.comes:
		t := store.Token{Name: c.name, Allow: []string{"read"}}
		copy(t.Hash[:], c.name)
		return s.AddToken(t, store.Author{Claimed: "writer"})
	}
	return s.RemoveToken(c.name, store.Author{Claimed: "writer"})
}

// in makes the change to a set of what is there.
func (c changed) in(there map[string]bool) {
	key := "token " + c.name
	if c.static {
		key = "static " + c.name
	}
	if c.comes {
		there[key] = true
	} else {
		delete(there, key)
	}
}

// ack is one line of the writer.
type ack struct {
	rev    uint64
	id     string
	weight int
	why    string
}

// run is what one process acknowledged before it was killed, in its order.
type run struct {
	pid     int
	intents []ack
	changes int // of them, numbers 0 to this minus 1
}

func TestNothingAcknowledgedIsLostByKillMinus9(t *testing.T) {
	t.Parallel()
	kills := 5
	if os.Getenv("MUSTER_SOAK") == "1" {
		kills = 500
	}
	dir := t.TempDir()
	var runs []run
	there := map[string]bool{} // tokens and static instances
	acknowledged, changes := 0, 0
	for i := range kills {
		r := writeAndKill(t, dir, 20+13*(i%7))
		runs = append(runs, r)
		acknowledged, changes = acknowledged+len(r.intents), changes+r.changes
		compare(t, dir, runs)
		there = compareChanges(t, dir, r, there)
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	t.Logf("%d kills, %d acknowledged intents, %d acknowledged changes to tokens and static instances", kills, acknowledged, changes)
}

// writeAndKill lets a writer acknowledge n intents and kills it in the middle of the next. It returns all it printed.
func writeAndKill(t *testing.T, dir string, n int) (r run) {
	t.Helper()
	cmd := helper(t, t.Context(), "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var pid, i int
		if _, err := fmt.Sscanf(lines.Text(), "did %d %d", &pid, &i); err == nil {
			if pid != r.pid || i != r.changes {
				t.Fatalf("the writer says %q after %d changes", lines.Text(), r.changes)
			}
			r.changes++
			continue
		}
		var a ack
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %s %d", &a.rev, &a.id, &a.weight); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		a.why = lines.Text()[strings.Index(lines.Text(), "process"):]
		if r.intents = append(r.intents, a); len(r.intents) == n {
			cmd.Process.Kill() // SIGKILL; what it printed before is still read
		}
	}
	cmd.Wait()
	if len(r.intents) < n {
		t.Fatalf("the writer acknowledged %d writes, want %d", len(r.intents), n)
	}
	return r
}

// compare checks that the journal holds, for each key, exactly the acknowledged writes, with their values and in their order,
// but for one at the end of each run that was under way; and as intents the last one of each key.
func compare(t *testing.T, dir string, runs []run) {
	t.Helper()
	j, err := bolt.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	written := map[string][]muster.AuditRecord{} // by instance, oldest first
	for before := uint64(0); ; {
		recs, err := j.Audit("prod", "Orders", before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			written[r.Key.ID] = append(written[r.Key.ID], r)
		}
		before = recs[len(recs)-1].ID
	}
	last, highest := map[string]*muster.Intent{}, uint64(0)
	for id, recs := range written {
		slices.Reverse(recs)
		last[id] = recs[len(recs)-1].After
		highest = max(highest, recs[len(recs)-1].ID)
		left := recs
		for _, r := range runs {
			for _, a := range r.intents {
				if a.id == id {
					left = follows(t, a, left)
				}
			}
			if len(left) > 0 && strings.Contains(left[0].After.Why, fmt.Sprintf("process %d,", r.pid)) {
				left = left[1:] // written, and killed before it could say so
			}
		}
		if len(left) > 0 {
			t.Errorf("%s: %d writes that nobody acknowledged, the first is %+v", id, len(left), left[0])
		}
	}
	newest, err := j.Load(loader(func(*store.Record) {}, func(k muster.Key, it *muster.Intent) {
		if l := last[k.ID]; l == nil || intentText(l) != intentText(it) {
			t.Errorf("intent of %s is %s, its last audit record says %s", k.ID, intentText(it), intentText(l))
		}
		delete(last, k.ID)
	}))
	if err != nil || newest < highest {
		t.Errorf("the newest number is %d, %v; %d was given", newest, err, highest)
	}
	for id := range last {
		t.Errorf("the intent of %s is gone", id)
	}
}

// follows checks that the next write in the journal is the one that was acknowledged, and returns those after it.
func follows(t *testing.T, a ack, left []muster.AuditRecord) []muster.AuditRecord {
	t.Helper()
	if len(left) == 0 {
		t.Errorf("%+v was acknowledged and is not there", a)
		return nil
	}
	if r := left[0]; r.ID != a.rev || r.After == nil || *r.After.Weight != a.weight || r.After.Why != a.why {
		t.Errorf("%+v was acknowledged, next in the journal is %d %s", a, r.ID, intentText(r.After))
	}
	return left[1:]
}

// compareChanges checks that the tokens and static instances are those that the acknowledged changes leave, or those that the one
// under way leaves too. It returns what is there.
func compareChanges(t *testing.T, dir string, r run, before map[string]bool) map[string]bool {
	t.Helper()
	j, err := bolt.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	got := map[string]bool{}
	if _, err := j.Load(store.Loader{
		Record: func(rec *store.Record) {
			if rec.Static {
				got["static "+rec.Instance.ID] = true
			}
		},
		Intent: func(muster.Key, *muster.Intent) {},
		Token:  func(token *store.Token) { got["token "+token.Name] = true },
	}); err != nil {
		t.Fatal(err)
	}
	sure := maps.Clone(before)
	for i := range r.changes {
		change(r.pid, i).in(sure)
	}
	more := maps.Clone(sure)
	change(r.pid, r.changes).in(more)
	if !maps.Equal(got, sure) && !maps.Equal(got, more) {
		t.Errorf("there are %d tokens and static instances, the acknowledged changes leave %d", len(got), len(sure))
	}
	return got
}

func TestFullDiskIsExhaustedAndTheStoreGoesOn(t *testing.T) {
	t.Parallel()
	out, err := helper(t, t.Context(), "full", t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
