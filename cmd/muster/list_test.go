package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// fleet is three ORDERS in two zones, one of them disabled, and a MAIL that is down.
func fleet(t *testing.T) *lab {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", zone("eu-1a"), ofVersion("1.4"))
	l.put("ORDERS", "10.0.0.2:8080", zone("eu-1b"), ofVersion("1.5"), label("team", "checkout"), weighs(30))
	l.put("ORDERS", "10.0.0.3:8080", zone("eu-1b"), ofVersion("1.5"))
	l.put("MAIL", "10.0.1.1:25", reports(muster.Down), at(muster.Endpoint{Scheme: "smtp", Address: "10.0.1.1:25"}))
	l.must("disable", "ORDERS", "10.0.0.3:8080", "--why", "bad disk")
	return l
}

func TestListsSayEffectiveAndBecause(t *testing.T) {
	l := fleet(t)
	for _, tt := range []struct {
		args string
		want string
	}{
		{"services", `
SERVICE  INSTANCES  UP  EFFECTIVE  BECAUSE
MAIL     1          0   down       1 reports down
ORDERS   3          2   up         1 disabled by ann@test: bad disk
`},
		{"services -o wide", `
SERVICE  INSTANCES  UP  ZONES         VERSIONS  EFFECTIVE  BECAUSE
MAIL     1          0                           down       1 reports down
ORDERS   3          2   eu-1a, eu-1b  1.4, 1.5  up         1 disabled by ann@test: bad disk
`},
		{"services -o name", "\nMAIL\nORDERS\n"},
		{"instances orders", `
ID             ENDPOINT              STATUS  ZONE   WEIGHT  SHARE  EFFECTIVE       BECAUSE
10.0.0.1:8080  http://10.0.0.1:8080  up      eu-1a  10      25 %   up
10.0.0.2:8080  http://10.0.0.2:8080  up      eu-1b  30      75 %   up
10.0.0.3:8080  http://10.0.0.3:8080  up      eu-1b  10      0 %    out_of_service  disabled by ann@test: bad disk
`},
		{"instances --version 1.5 -l team=checkout", `
SERVICE  ID             ENDPOINT              STATUS  ZONE   WEIGHT  SHARE  EFFECTIVE  BECAUSE
ORDERS   10.0.0.2:8080  http://10.0.0.2:8080  up      eu-1b  30      75 %   up
`},
		{"instances ORDERS MAIL -o name", "\nORDERS/10.0.0.1:8080\nORDERS/10.0.0.2:8080\nORDERS/10.0.0.3:8080\nMAIL/10.0.1.1:25\n"},
		{"top", `
SERVICE  INSTANCES  UP  EFFECTIVE  BECAUSE
MAIL     1          0   down       1 reports down
ORDERS   3          2   up         1 disabled by ann@test: bad disk
`},
	} {
		res := l.must(strings.Fields(tt.args)...)
		if "\n"+res.stdout != tt.want {
			t.Errorf("muster %s:\n%s\nwant:%s", tt.args, res.stdout, tt.want)
		}
	}
}

func TestStructuredListsUseTheShapesOfTheNativeAPI(t *testing.T) {
	l := fleet(t)
	var instances nativewire.List[nativewire.Instance]
	if err := json.Unmarshal([]byte(l.must("instances", "ORDERS", "-o", "json").stdout), &instances); err != nil {
		t.Fatal(err)
	}
	if len(instances.Items) != 3 || instances.Items[2].Effective.Because != "disabled by ann@test: bad disk" || *instances.Items[2].Intent.Enabled {
		t.Errorf("got %+v", instances.Items)
	}
	yaml := l.must("instances", "ORDERS", "--zone", "eu-1a", "-o", "yaml").stdout
	for _, want := range []string{"items:\n  - namespace: default\n", "service: ORDERS\n", "version: \"1.4\"\n", "effective:\n      status: up\n      weight: 10\n"} {
		if !strings.Contains(yaml, want) {
			t.Errorf("yaml lacks %q:\n%s", want, yaml)
		}
	}
	if got := l.must("services", "-o", "json", "-n", "empty").stdout; !strings.Contains(got, `"items": []`) {
		t.Errorf("an empty list: %s", got)
	}
}

func TestExplainSaysWhoGetsTheCallsOfAZone(t *testing.T) {
	l := fleet(t)
	out := l.must("explain", "ORDERS", "--zone", "eu-1a").stdout
	for _, want := range []string{
		"10.0.0.1:8080  http://10.0.0.1:8080  up      eu-1a  10      100 %  up",
		"in reserve: another zone",
		"A caller in zone eu-1a calls 1 of the 2 that may get traffic.",
		"10.0.0.3:8080: disabled by ann@test, because: bad disk. Ends when somebody says so.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("explain lacks %q:\n%s", want, out)
		}
	}
	if out := l.must("explain", "MAIL").stdout; !strings.Contains(out, "Calls of MAIL find no instance: none of 1 instance may get traffic.") {
		t.Errorf("a service that is down: %s", out)
	}
}

func TestUnknownNamesSuggestNearOnes(t *testing.T) {
	l := fleet(t)
	for _, tt := range []struct{ args, want string }{
		{"instances ORDRES", `no service "ORDRES" is registered in namespace default; did you mean ORDERS?`},
		{"explain order", `did you mean ORDERS?`},
		{"explain nothingalike", `muster services lists what there is`},
		{"disable ORDERS 10.0.0.9:8080", `did you mean 10.0.0.1:8080 or 10.0.0.2:8080 or 10.0.0.3:8080?`},
		{"doctor --explain M11", `did you mean`},
	} {
		res := l.run(strings.Fields(tt.args)...)
		if res.code != exitNotFound || !strings.Contains(res.stderr, tt.want) {
			t.Errorf("muster %s: exit code %d, %s\nwant %d and %q", tt.args, res.code, res.stderr, exitNotFound, tt.want)
		}
	}
	if res := l.run("servces"); res.code != exitUsage || !strings.Contains(res.stderr, "services") {
		t.Errorf("an unknown command: exit code %d, %s", res.code, res.stderr)
	}
}

func TestWhatOthersRegisteredCannotSteerATerminal(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", zone("a\u202eb"), label("k", "\x1b[31mred\r\n"))
	out := l.must("instances", "-o", "wide").stdout
	if strings.ContainsAny(out, "\x1b\r\u202e") {
		t.Errorf("control characters came through: %q", out)
	}
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", nativewire.ProblemType)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":"denied","status":403,"detail":"\u001b]0;title\u0007\r\u202eno"}`)
	}))
	defer evil.Close()
	res := l.run("services", "--registry", "muster://"+evil.Listener.Addr().String())
	if res.code != exitDenied || strings.ContainsAny(res.stderr, "\x1b\r\u202e\x07") {
		t.Errorf("exit code %d; control characters came through: %q", res.code, res.stderr)
	}
}

func TestStructuredListsShowEveryRuneThatJSONAllows(t *testing.T) {
	l := newLab(t)
	const id = "\u009b31m\u202e\ufeff\ufffe\uffff 日本 😀"
	l.put("ORDERS", id, func(in *muster.Instance) { in.Endpoints[0].Address = "10.0.0.1:80" })
	for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": yaml.Unmarshal} {
		out := l.must("instances", "ORDERS", "-o", format).stdout
		if strings.ContainsAny(out, "\u009b\ufeff\ufffe\uffff") {
			t.Errorf("%s: what could steer a terminal came through: %q", format, out)
		}
		var list struct {
			Items []struct{ ID string }
		}
		if err := decode([]byte(out), &list); err != nil || len(list.Items) != 1 || list.Items[0].ID != id {
			t.Errorf("%s: read back as %q, %v; want %q", format, list.Items, err, id)
		}
	}
}

func TestWideCharactersKeepColumnsAligned(t *testing.T) {
	tb := newTable(false, "A", "B")
	tb.add("数据", "x")
	tb.add("e\u0301", "y")
	var b strings.Builder
	if _, err := tb.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if want := "A     B\n数据  x\ne\u0301     y\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
