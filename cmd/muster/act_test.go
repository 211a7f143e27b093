package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

func TestActSaysBeforeAfterShareTermsAndUndo(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.2:8080")
	l.put("ORDERS", "10.0.0.3:8080")
	res := l.must("disable", "orders", "10.0.0.1", "--why", "bad disk")
	want := `
INSTANCE       BEFORE         EFFECTIVE       SHARE       BECAUSE
10.0.0.1:8080  up, weight 10  out_of_service  33 % → 0 %  disabled by ann@test: bad disk
33 % of the calls of ORDERS move; 2 instances are left.
Seen by: every client of this muster serve, Eureka's included. Kept: in the memory of muster serve, which has no data file: until it ends. Ends: when somebody says so.
Undo: muster undo 1
`
	if "\n"+res.stdout != want {
		t.Errorf("got:\n%s\nwant:%s", res.stdout, want)
	}
	if e := l.effective("ORDERS", "10.0.0.1:8080"); e.Up() {
		t.Errorf("after disable: %+v", e)
	}
	l.must("undo", "1")
	if e := l.effective("ORDERS", "10.0.0.1:8080"); !e.Up() {
		t.Errorf("after undo: %+v", e)
	}
}

func TestActsOnIntents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		acts []string // one after the other
		want muster.Effective
		note string
	}{
		{"disable", []string{"disable ORDERS a"}, muster.Effective{Status: muster.OutOfService, Weight: 10, Because: "disabled by ann@test"}, ""},
		{"disable and enable", []string{"disable ORDERS a", "enable ORDERS a"}, muster.Effective{Status: muster.Up, Weight: 10}, ""},
		{"weight", []string{"weight ORDERS a 5 --why slow"}, muster.Effective{Status: muster.Up, Weight: 5, Because: "weight 5 by ann@test: slow"}, ""},
		{"weight 0", []string{"weight ORDERS a 0"}, muster.Effective{Status: muster.OutOfService, Weight: 0, Because: "weight 0 by ann@test"}, ""},
		{"own weight", []string{"weight ORDERS a 5", "weight ORDERS a own"}, muster.Effective{Status: muster.Up, Weight: 10}, ""},
		{"a note moves nothing", []string{"note ORDERS a heap-dump"}, muster.Effective{Status: muster.Up, Weight: 10}, "heap-dump"},
		{"a note is taken away", []string{"note ORDERS a heap-dump", "note ORDERS a |"}, muster.Effective{Status: muster.Up, Weight: 10}, ""},
		{"enable keeps weight and note", []string{"weight ORDERS a 7", "note ORDERS a x", "disable ORDERS a --why w", "enable ORDERS a"},
			muster.Effective{Status: muster.Up, Weight: 7, Because: "weight 7 by ann@test"}, "x"},
		{"a note keeps the reason", []string{"disable ORDERS a --why disk", "note ORDERS a x"},
			muster.Effective{Status: muster.OutOfService, Weight: 10, Because: "disabled by ann@test: disk"}, "x"},
		{"drain", []string{"drain ORDERS a --grace 1ms"}, muster.Effective{Status: muster.OutOfService, Weight: 10, Because: "disabled by ann@test"}, ""},
		{"undo of undo", []string{"disable ORDERS a", "undo", "undo"}, muster.Effective{Status: muster.OutOfService, Weight: 10, Because: "disabled by ann@test"}, ""},
		{"dry run", []string{"disable ORDERS a --dry-run"}, muster.Effective{Status: muster.Up, Weight: 10}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.put("ORDERS", "a", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.1:1"}))
			l.put("ORDERS", "b", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.2:1"})) // nobody is asked while one is left
			for _, act := range tt.acts {
				args := strings.Fields(act)
				if args[len(args)-1] == "|" { // stands for an empty argument
					args[len(args)-1] = ""
				}
				l.must(args...)
			}
			if got := l.effective("ORDERS", "a"); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			key := muster.Key{Namespace: "default", Service: "ORDERS", ID: "a"}
			if it := l.server.Store().Intent(key); it != nil && it.Note != tt.note || it == nil && tt.note != "" {
				t.Errorf("the intent is %+v, want the note %q", it, tt.note)
			}
		})
	}
}

func TestSeveralInstancesNeedConsent(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", zone("a"))
	l.put("ORDERS", "10.0.0.2:8080", zone("a"))
	l.put("ORDERS", "10.0.0.3:8080", zone("b"))
	res := l.run("disable", "ORDERS", "--zone", "a")
	if res.code != exitUsage || !strings.Contains(res.stderr, "say --yes") {
		t.Errorf("without --yes: exit code %d, %s", res.code, res.stderr)
	}
	if !strings.Contains(res.stdout, "67 % of the calls of ORDERS move; 1 instance is left.") {
		t.Errorf("it does not say what would move: %s", res.stdout)
	}
	if !l.effective("ORDERS", "10.0.0.1:8080").Up() {
		t.Error("it changed something without consent")
	}
	res = l.must("disable", "ORDERS", "--zone", "a", "--yes")
	if !strings.Contains(res.stdout, "Undo: muster undo 1 2\n") {
		t.Errorf("undo of both: %s", res.stdout)
	}
	if l.effective("ORDERS", "10.0.0.2:8080").Up() || !l.effective("ORDERS", "10.0.0.3:8080").Up() {
		t.Error("the selector took the wrong ones")
	}
	for _, act := range [][]string{{"disable", "ORDERS", "10.0.0.3:8080"}, {"weight", "ORDERS", "10.0.0.3:8080", "0"}, {"drain", "ORDERS", "10.0.0.3:8080"}} {
		res = l.run(act...)
		if res.code != exitUsage || !strings.Contains(res.stdout, "Nobody is left: calls of ORDERS find no instance.") ||
			!strings.Contains(res.stderr, "Change 1 instance of ORDERS, and leave nobody to answer its calls?") {
			t.Errorf("%s of the last one: exit code %d, %s%s", act[0], res.code, res.stdout, res.stderr)
		}
	}
	if !l.effective("ORDERS", "10.0.0.3:8080").Up() {
		t.Error("it took the last one without consent")
	}
	l.must("disable", "ORDERS", "10.0.0.3:8080", "--yes")
	res = l.must("undo", "1", "2", "--yes")
	if !strings.Contains(res.stdout, "ORDERS gets traffic again, on 2 instances.") {
		t.Errorf("undo: %s", res.stdout)
	}
}

func TestActsInJSONAreAuditRecords(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	var list nativewire.List[nativewire.AuditRecord]
	res := l.must("weight", "ORDERS", "10.0.0.1:8080", "5", "-o", "json", "--why", "slow")
	if err := json.Unmarshal([]byte(res.stdout), &list); err != nil {
		t.Fatalf("%v: %s", err, res.stdout)
	}
	rec := list.Items[0]
	if rec.ID != 1 || rec.Op != "intent" || rec.Claimed != "ann@test" || rec.Why != "slow" || rec.Before != nil || *rec.After.Weight != 5 {
		t.Errorf("got %+v", rec)
	}
	if !strings.Contains(res.stderr, "Undo: muster undo 1") {
		t.Errorf("words for people are not on stderr: %q", res.stderr)
	}
	list.Items = nil
	if err := json.Unmarshal([]byte(l.must("audit", "-o", "json").stdout), &list); err != nil || len(list.Items) != 1 || list.Items[0].ID != 1 {
		t.Errorf("audit: %v %+v", err, list)
	}
	if got := l.must("weight", "ORDERS", "10.0.0.1:8080", "5", "-o", "json").stdout; !strings.Contains(got, `"items": []`) {
		t.Errorf("nothing to change: %s", got)
	}
}

func TestForEndsAnActByItself(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.9:8080")
	res := l.must("disable", "ORDERS", "10.0.0.1:8080", "--for", "2s")
	if !regexp.MustCompile(`Ends: by itself at \d{4}-\d\d-\d\dT`).MatchString(res.stdout) {
		t.Errorf("it does not say when it ends: %s", res.stdout)
	}
	await(t, "the intent's end", func() bool { return l.effective("ORDERS", "10.0.0.1:8080").Up() })
	res = l.run("undo", "1")
	if res.code != exitConflict || !strings.Contains(res.stderr, "has ended") {
		t.Errorf("undo of what has ended: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("disable", "ORDERS", "10.0.0.1:8080", "--for", "-2s"); res.code != exitUsage {
		t.Errorf("an end in the past: exit code %d", res.code)
	}
}

func TestLaterActWithoutForKeepsTheEnd(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.9:8080")
	res := l.must("disable", "ORDERS", "10.0.0.1:8080", "--for", "1h", "--why", "disk swap")
	if strings.Contains(res.stdout, "ends with it") {
		t.Errorf("an end of its own is said to be another's: %s", res.stdout)
	}
	res = l.must("weight", "ORDERS", "10.0.0.1:8080", "3")
	if !strings.Contains(res.stdout, "Ends: by itself at") {
		t.Errorf("the end was lost without a word: %s", res.stdout)
	}
	if !strings.Contains(res.stdout, "an act before set an end for 10.0.0.1:8080 (disk swap), and this one ends with it at ") || !strings.Contains(res.stdout, "--for 0 keeps it for good") {
		t.Errorf("it does not say where the end comes from: %s", res.stdout)
	}
	for _, act := range [][]string{{"note", "ORDERS", "10.0.0.1:8080", "heap dump"}, {"enable", "ORDERS", "10.0.0.1:8080"}} {
		if res := l.must(act...); !strings.Contains(res.stdout, "this one ends with it at ") {
			t.Errorf("%s does not say that it inherits an end: %s", act[0], res.stdout)
		}
	}
	res = l.must("weight", "ORDERS", "10.0.0.1:8080", "4", "--for", "0")
	if strings.Contains(res.stdout, "ends with it") || !strings.Contains(res.stdout, "was to end at") || !strings.Contains(res.stdout, "Ends: when somebody says so") {
		t.Errorf("the change of the end is not said: %s", res.stdout)
	}
}

func TestUndoIsAuditedWithItsOwnReason(t *testing.T) {
	const one, two = "10.0.0.1:8080", "10.0.0.2:8080"
	l := newLab(t)
	l.put("ORDERS", one)
	l.put("ORDERS", two)
	l.must("weight", "ORDERS", one, "5", "--why", "slow disk")
	l.must("weight", "ORDERS", one, "7", "--why", "slower")
	l.must("weight", "ORDERS", two, "3")
	l.must("undo", "2", "--why", "the disk is new")
	if e := l.effective("ORDERS", one); e.Because != "weight 5 by ann@test: slow disk" {
		t.Errorf("put back %+v, want the reason that it had", e)
	}
	l.must("undo", "4", "3", "--yes")
	records, err := l.server.Store().Audit(muster.DefaultNamespace, "", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"undo of act 3", "undo of act 4", "the disk is new"} {
		if records[i].Why != want {
			t.Errorf("act %d is audited with the reason %q, want %q", records[i].ID, records[i].Why, want)
		}
	}
}

func TestUndoLeavesWhatSomebodyElseChanged(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.9:8080")
	l.must("disable", "ORDERS", "10.0.0.1:8080")
	l.must("weight", "ORDERS", "10.0.0.1:8080", "5", "--by", "bob@test")
	res := l.run("undo")
	if res.code != exitConflict || !strings.Contains(res.stderr, "since act 1 it was changed again, or has ended (act 2 by bob@test (as claimed)): see") {
		t.Errorf("exit code %d, %s", res.code, res.stderr)
	}
	res = l.run("undo", "--by", "eve@test")
	if res.code != exitNotFound || !strings.Contains(res.stderr, "the last of anybody's is 2 by bob@test (as claimed): muster undo 2") {
		t.Errorf("nothing of one's own: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("undo", "99"); res.code != exitNotFound {
		t.Errorf("an unknown act: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("undo", "x"); res.code != exitUsage {
		t.Errorf("no ID: exit code %d", res.code)
	}
}

func TestUndoWithoutAnIDNeverReachesPastAnActThatItCannotUndo(t *testing.T) {
	l := newLab(t)
	l.must("register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static", "-l", "floor=3")
	l.put("PRINTER", "10.0.0.7:631")
	l.put("PRINTER", "10.0.0.8:631")
	for _, tt := range []struct{ args, want string }{
		{"register PRINTER --url ipp://10.0.0.9:631 --static -l floor=4", "your last act, 3, is register static of PRINTER/10.0.0.9:631: only intents (disable, enable, weight, note) can be undone, so nothing was changed; " +
			"this takes it back: muster register PRINTER --static --id 10.0.0.9:631 --url ipp://10.0.0.9:631 -l floor=3\n"},
		{"deregister PRINTER 10.0.0.9:631", "this takes it back: muster register PRINTER --static --id 10.0.0.9:631 --url ipp://10.0.0.9:631 -l floor=4\n"},
		{"register PRINTER --url ipp://10.0.0.9:631 --static", "this takes it back: muster deregister PRINTER 10.0.0.9:631\n"},
		{"deregister PRINTER 10.0.0.8:631", "if it lives it registers again with its next heartbeat\n"},
	} {
		l.must("disable", "PRINTER", "10.0.0.7:631")
		l.must(strings.Fields(tt.args)...)
		res := l.run("undo")
		if res.code != exitUsage || !strings.Contains(res.stderr, tt.want) {
			t.Errorf("undo after %s: exit code %d, %s\nwant %s", tt.args, res.code, res.stderr, tt.want)
		}
		if l.effective("PRINTER", "10.0.0.7:631").Up() {
			t.Errorf("undo after %s undid the act before it", tt.args)
		}
		l.must("enable", "PRINTER", "10.0.0.7:631")
	}
	me := store.Author{Claimed: "ann@test"}
	if err := l.server.Store().AddToken(store.Token{Name: "ops", Certificate: "CN=ops", Allow: []string{"admin"}}, me); err != nil {
		t.Fatal(err)
	}
	if res := l.run("undo"); res.code != exitUsage || !strings.Contains(res.stderr, "this takes it back: muster token revoke ops\n") {
		t.Errorf("undo after a token was made: exit code %d, %s", res.code, res.stderr)
	}
	if err := l.server.Store().RemoveToken("ops", me); err != nil {
		t.Fatal(err)
	}
	if res := l.run("undo"); res.code != exitUsage || !strings.Contains(res.stderr, "a revoked token does not come back") {
		t.Errorf("undo after a token was revoked: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("undo", "1"); res.code != exitUsage || !strings.Contains(res.stderr, "act 1 is register static of") {
		t.Errorf("by its ID: exit code %d, %s", res.code, res.stderr)
	}
}

func TestIntentOfAnInstanceThatIsGoneCanBeTakenAway(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.9:8080")
	l.must("disable", "ORDERS", "10.0.0.1:8080")
	l.must("deregister", "ORDERS", "10.0.0.1:8080")
	res := l.must("enable", "ORDERS", "10.0.0.1:8080")
	if !strings.Contains(res.stdout, "not registered now") {
		t.Errorf("got %s", res.stdout)
	}
	if it := l.server.Store().Intent(muster.Key{Namespace: "default", Service: "ORDERS", ID: "10.0.0.1:8080"}); it != nil {
		t.Errorf("the intent is still there: %+v", it)
	}
	if res := l.run("enable", "ORDERS", "10.0.0.1:8080"); res.code != exitNotFound {
		t.Errorf("once more: exit code %d, %s", res.code, res.stderr)
	}
}

func TestDeregisterSaysThatTheLivingComeBack(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.2:8080")
	res := l.must("deregister", "ORDERS", "10.0.0.1:8080", "--dry-run")
	if !strings.Contains(res.stdout, "50 % → 0 %") || l.server.Store().View("default").Service("ORDERS").Record("10.0.0.1:8080") == nil {
		t.Errorf("dry run: %s", res.stdout)
	}
	res = l.must("deregister", "ORDERS", "10.0.0.1:8080")
	if !strings.Contains(res.stdout, "registers again with its next heartbeat") || !strings.Contains(res.stdout, "muster disable ORDERS 10.0.0.1:8080") {
		t.Errorf("got %s", res.stdout)
	}
	if l.server.Store().View("default").Service("ORDERS").Record("10.0.0.1:8080") != nil {
		t.Error("it is still there")
	}
	if out := l.must("audit").stdout; !strings.Contains(out, "deregister") {
		t.Errorf("no audit of it: %s", out)
	}
}

func TestUndoCommandNamesTheRegistryThatWasTyped(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", inNamespace("live"))
	url := l.env["MUSTER_REGISTRY"]
	delete(l.env, "MUSTER_REGISTRY")
	res := l.must("disable", "ORDERS", "10.0.0.1:8080", "--yes", "--registry", url, "-n", "live")
	if want := "Undo: muster --registry " + url + " --namespace live undo 1\n"; !strings.Contains(res.stdout, want) {
		t.Errorf("got %s, want %s", res.stdout, want)
	}
}

func TestWaitEndsWhenEnoughAreUpOrTheTimeIsOver(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.must("wait", "ORDERS")
	done := make(chan result, 1)
	go func() { done <- l.run("wait", "ORDERS", "--for", "2", "--within", "20s") }()
	l.put("ORDERS", "10.0.0.2:8080")
	if res := <-done; res.code != exitOK {
		t.Errorf("wait for two: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("wait", "ORDERS", "--for", "3", "--within", "50ms"); res.code != exitTimeout || !strings.Contains(res.stderr, "2 of 2 up within 50ms, 3 wanted") {
		t.Errorf("wait for three: exit code %d, want %d; %s", res.code, exitTimeout, res.stderr)
	}
	l.must("disable", "ORDERS", "--all", "--yes", "--why", "disk")
	if res := l.run("wait", "ORDERS", "--within", "50ms"); res.code != exitTimeout ||
		!strings.Contains(res.stderr, "none of 2 up within 50ms, 1 wanted: 2 disabled by ann@test: disk") || !strings.Contains(res.stderr, "0 up of 2 registered, waiting for 1") {
		t.Errorf("wait for one of two that are disabled: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("wait", "NOBODY", "--within", "50ms"); res.code != exitTimeout || !strings.Contains(res.stderr, "no instance is registered after 50ms") {
		t.Errorf("wait for nobody: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("wait", "NOBODY", "--for", "0"); res.code != exitOK {
		t.Errorf("wait for none: exit code %d, %s", res.code, res.stderr)
	}
}

func TestConcurrentChangeIsAConflict(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	l.put("ORDERS", "10.0.0.9:8080")
	a := &act{c: l.cli()}
	intents, err := a.store()
	if err != nil {
		t.Fatal(err)
	}
	in := l.server.Store().View("default").Service("ORDERS").Record("10.0.0.1:8080").Instance
	stale := []edit{{instance: in, after: muster.Intent{Enabled: new(false)}}} // read before somebody else wrote
	l.must("note", "ORDERS", "10.0.0.1:8080", "mine", "--by", "bob@test")
	done, err := a.write(t.Context(), intents, stale)
	if done != 0 || exitCode(err) != exitConflict || !strings.Contains(err.Error(), "look again (muster explain ORDERS)") {
		t.Errorf("%d were written, %v (exit code %d)", done, err, exitCode(err))
	}
}

func TestAgesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 15 * time.Millisecond: "15ms", 3 * time.Second: "3s", 250 * time.Second: "4m10s", 125 * time.Minute: "2h5m",
		2 * time.Hour: "2h0m", 76 * time.Hour: "3d4h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
