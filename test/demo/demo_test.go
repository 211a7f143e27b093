package demo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/test/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// report is the JSON of muster demo -o json, as far as it is promised.
type report struct {
	OK       bool
	Kills    int
	Calls    struct{ Total, Safe int }
	Stored   int `json:"comments_stored"`
	Acked    int `json:"comments_acknowledged"`
	Doubtful int `json:"comments_in_doubt"`
	Claims   []struct {
		Name, Text, Rule, Note string
		Value, Limit           float64
		OK                     bool
	}
}

// What is said first is which claims did not hold; what the demo printed comes last.
func TestOneRoundKeepsEveryClaim(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	cmd := exec.Command(peer.MusterBinary(t), "demo", "--once", "-o", "json")
	cmd.Env = append(os.Environ(), "TMPDIR="+place)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ended := cmd.Run()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("it printed:\n%s%s", &stderr, &stdout)
		}
	})
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("muster demo --once: %v; stdout is not JSON: %v", ended, err)
	}
	claims := map[string]bool{}
	for _, c := range r.Claims {
		claims[c.Name] = true
		if !c.OK {
			t.Errorf("claim %s did not hold: %g %s; %s %g is promised; %s", c.Name, c.Value, c.Text, c.Rule, c.Limit, c.Note)
		}
	}
	for _, name := range []string{
		"calm_failed", "calm_share", "disable_silence", "enable_traffic", "disable_failed", "weight_share", "weight_failed",
		"kill_push_gone", "start_push_traffic", "kill_push_failed",
		"outage_calls", "outage_intent", "outage_watchers", "outage_silence", "outage_traffic", "outage_failed",
		"kill_register_failed", "kill_comments_failed", "comments_lost", "comments_twice", "comments_strange",
		"authors_untold", "people_missing", "calls", "disabled_requests", "left_behind",
	} {
		if !claims[name] {
			t.Errorf("nothing is claimed of %s", name)
		}
	}
	if ended != nil {
		t.Errorf("muster demo --once: %v", ended)
	}
	if !r.OK || r.Calls.Total < 1000 || r.Kills < 4 {
		t.Errorf("ok %v, %d calls, %d kills; want every claim kept, at least 1000 calls and 4 kills", r.OK, r.Calls.Total, r.Kills)
	}
	if r.Acked == 0 || r.Stored < r.Acked || r.Stored > r.Acked+r.Doubtful {
		t.Errorf("%d comments stored, %d acknowledged, %d in doubt", r.Stored, r.Acked, r.Doubtful)
	}
	nothingLeft(t, place)
}

func TestCtrlCEndsInOrder(t *testing.T) {
	t.Parallel()
	for name, ready := range map[string]string{"while it starts": "muster serve", "in the middle": "kill -9"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			p := start(t, place, ready)
			if code := p.Stop(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			nothingLeft(t, place)
		})
	}
}

func TestVisitorsJoinByThePrintedLines(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), `"ttl": "15s"`)
	url, python, curl := printed(t, p)

	joined := peer.Start(t, peer.Command{Name: "visitor", Path: peer.Installed(t, "eureka"), Args: []string{"-c", python}})
	listed(t, url, "visitor")
	if out, err := exec.Command("bash", "-c", curl).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", curl, err, out)
	}
	listed(t, url, "guest")

	select {
	case <-joined.Ended():
	case <-time.After(time.Minute):
		t.Fatal("the Python lines do not end")
	}
	if code := joined.Stop(); code != 0 {
		t.Errorf("the Python lines ended with exit code %d:\n%s", code, joined.Log())
	}
	if up(t, url, "visitor") != 0 {
		t.Error("the visitor is still listed after its last line")
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("the demo ended with exit code %d", code)
	}
}

// start starts a demo that keeps its files in place, and returns when it has printed some text.
func start(t *testing.T, place, text string) *peer.Process {
	t.Helper()
	return peer.Start(t, peer.Command{
		Name: "muster demo", Path: peer.MusterBinary(t), Args: []string{"demo"}, Env: []string{"TMPDIR=" + place},
		Ready: peer.Line(text), Limit: time.Minute,
	})
}

// printed returns the four lines of Python and the one of curl that a demo printed, and its registry.
func printed(t *testing.T, p *peer.Process) (url, python, curl string) {
	t.Helper()
	found := regexp.MustCompile(`(?m)^import time.*\n.*\n.*\n.*\n`).FindString(p.Log())
	curl = regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*`).FindString(p.Log())
	url = regexp.MustCompile(`http://[0-9.:]+`).FindString(curl)
	if found == "" || url == "" || !strings.Contains(found, url+"/eureka") {
		t.Fatalf("no lines to join by in\n%s", p.Log())
	}
	return url, found, curl
}

// listed waits until an instance of a service may get traffic.
func listed(t *testing.T, url, service string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for up(t, url, service) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s is not listed", service)
		}
	}
}

// up counts the instances of a service that may get traffic.
func up(t *testing.T, url, service string) int {
	t.Helper()
	web := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := web.Get(fmt.Sprintf("%s/api/v1/namespaces/default/services/%s/instances", url, service))
	if err != nil {
		return 0 // the registry is being killed and restarted
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	return strings.Count(string(body), `"effective":{"status":"up"`)
}

// nothingLeft checks that no process and no file of a demo that kept its files in place is there.
func nothingLeft(t *testing.T, place string) {
	t.Helper()
	if files, err := os.ReadDir(place); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v (%v)", files, err)
	}
	if left := processesOf(place); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
}

// processesOf returns the command lines of the processes whose environment names a directory. It looks where Linux shows them.
func processesOf(place string) []string {
	var out []string
	all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, dir := range all {
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || !bytes.Contains(env, []byte("TMPDIR="+place+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(dir + "/cmdline")
		out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return out
}
