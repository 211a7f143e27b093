package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// An act for a while lies over what was set for good: each row says what stands after some acts on an instance, until when,
// and what stands then. Undoing the last act brings all of that back as it was before it.
func TestActsForAWhileLieOverActsForGood(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for i, tt := range []struct{ acts, want string }{
		{"weight 5 | weight 3", `weight 3`},
		{"weight 5 | weight 3 --for 0", `weight 3`},
		{"weight 5 | weight 3 --for 2h", `weight 3 for 2h, then weight 5`},
		{"weight 5 | disable", `disabled, weight 5`},
		{"weight 5 | disable --for 0", `disabled, weight 5`},
		{"weight 5 | disable --for 2h", `disabled, weight 5 for 2h, then weight 5`},
		{"weight 5 | note y", `weight 5, "y"`},
		{"weight 5 | note y --for 0", `weight 5, "y"`},
		{"weight 5 | note y --for 2h", `weight 5, "y" for 2h, then weight 5`},
		{"weight 5 --for 1h | weight 3", `weight 3 for 1h, then nothing`},
		{"weight 5 --for 1h | weight 3 --for 0", `weight 3`},
		{"weight 5 --for 1h | weight 3 --for 2h", `weight 3 for 2h, then nothing`},
		{"weight 5 --for 1h | disable", `disabled, weight 5 for 1h, then nothing`},
		{"weight 5 --for 1h | disable --for 0", `disabled, weight 5`},
		{"weight 5 --for 1h | disable --for 2h", `disabled, weight 5 for 2h, then nothing`},
		{"weight 5 --for 1h | note y", `weight 5, "y" for 1h, then nothing`},
		{"weight 5 --for 1h | note y --for 0", `weight 5, "y"`},
		{"weight 5 --for 1h | note y --for 2h", `weight 5, "y" for 2h, then nothing`},
		{"disable | weight 3", `disabled, weight 3`},
		{"disable | weight 3 --for 0", `disabled, weight 3`},
		{"disable | weight 3 --for 2h", `disabled, weight 3 for 2h, then disabled`},
		{"disable | disable", `disabled`},
		{"disable | disable --for 0", `disabled`},
		{"disable | disable --for 2h", `disabled for 2h, then disabled`},
		{"disable | note y", `disabled, "y"`},
		{"disable | note y --for 0", `disabled, "y"`},
		{"disable | note y --for 2h", `disabled, "y" for 2h, then disabled`},
		{"disable --for 1h | weight 3", `disabled, weight 3 for 1h, then nothing`},
		{"disable --for 1h | weight 3 --for 0", `disabled, weight 3`},
		{"disable --for 1h | weight 3 --for 2h", `disabled, weight 3 for 2h, then nothing`},
		{"disable --for 1h | disable", `disabled for 1h, then nothing`},
		{"disable --for 1h | disable --for 0", `disabled`},
		{"disable --for 1h | disable --for 2h", `disabled for 2h, then nothing`},
		{"disable --for 1h | note y", `disabled, "y" for 1h, then nothing`},
		{"disable --for 1h | note y --for 0", `disabled, "y"`},
		{"disable --for 1h | note y --for 2h", `disabled, "y" for 2h, then nothing`},
		{"note x | weight 3", `weight 3, "x"`},
		{"note x | weight 3 --for 0", `weight 3, "x"`},
		{"note x | weight 3 --for 2h", `weight 3, "x" for 2h, then "x"`},
		{"note x | disable", `disabled, "x"`},
		{"note x | disable --for 0", `disabled, "x"`},
		{"note x | disable --for 2h", `disabled, "x" for 2h, then "x"`},
		{"note x | note y", `"y"`},
		{"note x | note y --for 0", `"y"`},
		{"note x | note y --for 2h", `"y" for 2h, then "x"`},
		{"note x --for 1h | weight 3", `weight 3, "x"`},
		{"note x --for 1h | weight 3 --for 0", `weight 3, "x"`},
		{"note x --for 1h | weight 3 --for 2h", `weight 3, "x" for 2h, then nothing`},
		{"note x --for 1h | disable", `disabled, "x"`},
		{"note x --for 1h | disable --for 0", `disabled, "x"`},
		{"note x --for 1h | disable --for 2h", `disabled, "x" for 2h, then nothing`},
		{"note x --for 1h | note y", `"y"`},
		{"note x --for 1h | note y --for 0", `"y"`},
		{"note x --for 1h | note y --for 2h", `"y" for 2h, then nothing`},
		{"disable --for 1h", `disabled for 1h, then nothing`},
		{"weight 5 | disable --for 1h | weight 3 --for 2h", `disabled, weight 3 for 2h, then weight 5`},
		{"weight 5 | disable --for 1h | enable", `weight 5`},
		{"weight 5 | disable --for 1h | weight 3", `disabled, weight 3 for 1h, then weight 5`},
		{"weight 5 | disable --for 1h | weight 3 | enable", `weight 3 for 1h, then weight 5`},
		{"weight 5 | disable --for 1h | weight 3 --for 0", `disabled, weight 3`},
		{"weight 5 | disable --for 1h | note y | enable", `weight 5, "y"`},
		{"weight 5 | disable --for 1h | disable --for 2h", `disabled, weight 5 for 2h, then weight 5`},
		{"weight 5 | disable --for 1h | weight 5", `disabled, weight 5 for 1h, then weight 5`},
		{"weight 5 | disable --for 1h | disable --for 0", `disabled, weight 5`},
		{"weight 5 | note x --for 1h | disable", `disabled, weight 5, "x"`},
		{"note x | disable --for 1h | enable", `"x"`},
		{"disable | enable --for 1h", `enabled for 1h, then disabled`},
		{"disable | enable --for 1h | enable", `nothing`},
		{"disable | enable --for 1h | disable", `disabled`},
		{"disable --for 1h | enable", `nothing`},
		{"weight 5 | weight 3 --for 1h | weight own", `nothing`},
		{"weight 5 | disable --for 1h | note y", `disabled, weight 5, "y" for 1h, then weight 5`},
		{"weight 5 | disable --for 1h --why swap | enable --why done", `weight 5`},
	} {
		id := fmt.Sprintf("i%02d", i)
		l.put("ORDERS", id, at(muster.Endpoint{Scheme: "http", Address: fmt.Sprintf("10.0.0.1:%d", i+1)}))
		was, stands := "", wish(nil)
		for act := range strings.SplitSeq(tt.acts, " | ") {
			verb, rest, _ := strings.Cut(act, " ")
			l.must(append([]string{verb, "ORDERS", id}, strings.Fields(rest)...)...)
			was, stands = stands, l.wanted("ORDERS", id)
		}
		if stands != tt.want {
			t.Errorf("%s: %s, want %s", tt.acts, stands, tt.want)
		}
		if stands == was {
			continue // there is nothing to undo
		}
		l.must("undo")
		if got := l.wanted("ORDERS", id); got != was {
			t.Errorf("%s, undone: %s, want %s", tt.acts, got, was)
		}
	}
}

func TestWhatComesAfterAnActIsSaid(t *testing.T) {
	t.Parallel()
	const one, two = "10.0.0.1:8080", "10.0.0.2:8080"
	l := newLab(t)
	l.put("ORDERS", one)
	l.put("ORDERS", two)
	l.must("weight", "ORDERS", one, "5", "--why", "slow disk")
	says := func(want string, args ...string) {
		t.Helper()
		if res := l.must(args...); !regexp.MustCompile(want).MatchString(res.stdout) {
			t.Errorf("%s does not say %q:\n%s", strings.Join(args, " "), want, res.stdout)
		}
	}
	says(`Ends: by itself at \S+, then weight 5\.\n`, "disable", "ORDERS", one, "--for", "1h")
	says(`disabled, weight 5 by ann@test, because: slow disk\. Ends by itself at \S+, then weight 5\.\n`, "explain", "ORDERS")
	says(`disabled, weight 5, until \S+, then weight 5`, "audit", "ORDERS", "--limit", "1")
	says(`"then": \{\s+"weight": 5`, "note", "ORDERS", one, "x", "--for", "2h", "--dry-run", "-o", "json")
	says(`Ends: not all alike: muster explain ORDERS says when each does\.\n`, "weight", "ORDERS", "--all", "7", "--for", "2h", "--yes")

	l.must("undo", "3", "4", "--yes")
	if got := l.wanted("ORDERS", one); got != "disabled, weight 5 for 1h, then weight 5" {
		t.Errorf("undone: %s", got)
	}
	res := l.must("enable", "ORDERS", one)
	if strings.Contains(res.stdout, "was to end") || !strings.Contains(res.stdout, "Ends: when somebody says so") || !strings.Contains(res.stdout, "weight 5 by ann@test: slow disk") {
		t.Errorf("enabled before its time: %s", res.stdout)
	}
	if res := l.run("weight", "ORDERS", one, "own", "--for", "1h"); res.code != exitUsage || !strings.Contains(res.stderr, "asks for nothing") {
		t.Errorf("own weight for a while: exit code %d, %s", res.code, res.stderr)
	}
}

func TestAtItsEndAnActGivesWay(t *testing.T) {
	t.Parallel()
	const one, two = "10.0.0.1:8080", "10.0.0.2:8080"
	l := newLab(t)
	l.put("ORDERS", one)
	l.put("ORDERS", two)
	l.must("weight", "ORDERS", one, "5")
	l.must("disable", "ORDERS", one, "--for", "2s")
	l.must("disable", "ORDERS", two, "--yes", "--for", "2s")
	l.must("disable", "ORDERS", two, "--for", "0")
	want := muster.Effective{Status: muster.Up, Weight: 5, Because: "weight 5 by ann@test"}
	await(t, "the end of a disable", func() bool { return l.effective("ORDERS", one) == want })
	if res := l.must("audit", "--limit", "1"); !regexp.MustCompile(`expired +ORDERS +` + one + ` .* disabled, weight 5 +weight 5`).MatchString(res.stdout) {
		t.Errorf("the audit of an end: %s", res.stdout)
	}
	if l.effective("ORDERS", two).Up() {
		t.Error("a disable for good ended")
	}
	l.must("undo", "4") // what was there before has ended meanwhile
	if e := l.effective("ORDERS", two); !e.Up() {
		t.Errorf("undone, it is %+v", e)
	}
}

// wanted is what stands for an instance, in words, with its end in hours.
func (l *lab) wanted(service, id string) string {
	it := l.server.Store().Intent(muster.Key{Namespace: muster.DefaultNamespace, Service: service, ID: id})
	if it == nil || it.Until.IsZero() {
		return wish(it)
	}
	next := "nothing"
	if it.Then != nil {
		next = wish(it.Then)
	}
	return fmt.Sprintf("%s for %dh, then %s", wish(it), time.Until(it.Until).Round(time.Hour)/time.Hour, next)
}
