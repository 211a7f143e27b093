package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestBreakerSaysBeforeAfterHowLongAndUndo(t *testing.T) {
	l := fleet(t)
	shop := l.caller(4711, muster.ClientOptions{Service: "SHOP", Instance: "s1"})
	calls(t, shop, "ORDERS", 1, nil)
	out := l.must("breaker", "ORDERS", "open", "--why", "migration").stdout
	for _, want := range []string{
		"PID", "BEFORE", "AFTER", fmt.Sprint(os.Getpid()), "SHOP/s1  closed  open, forced  by ann@test at ", "because: migration\n",
		"It lasts until the program ends or somebody says auto.", "Undo: muster breaker ORDERS auto\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
	calls(t, shop, "ORDERS", 1, muster.Rejected)
	if out := l.must("breaker", "orders").stdout; !strings.Contains(out, "open, forced  by ann@test") {
		t.Errorf("shown as:\n%s", out)
	}
	if out := l.must("explain", "ORDERS").stdout; !strings.Contains(out, "Breaker open, forced by ann@test at ") {
		t.Errorf("explained as:\n%s", out)
	}
	if out := l.must("breaker", "ORDERS", "open", "--why", "migration").stdout; !strings.HasPrefix(out, "Nothing to change") {
		t.Errorf("again:\n%s", out)
	}
	if out := l.must("breaker", "ORDERS", "auto").stdout; !strings.Contains(out, "open, forced  closed") || !strings.Contains(out, "Undo: muster breaker ORDERS open") {
		t.Errorf("back:\n%s", out)
	}
	calls(t, shop, "ORDERS", 1, nil)
}

func TestSeveralBreakersAreForcedOnlyAfterAYes(t *testing.T) {
	l := fleet(t)
	one, two := l.caller(1, muster.ClientOptions{Service: "ONE"}), l.caller(2, muster.ClientOptions{Service: "TWO"})
	calls(t, one, "ORDERS", 1, nil)
	calls(t, two, "ORDERS", 1, nil)
	force := func() string {
		return one.Breaker("ORDERS").Force.String() + " " + two.Breaker("ORDERS").Force.String()
	}
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"breaker ORDERS open", exitUsage, "auto auto"},
		{"breaker ORDERS open --dry-run", exitOK, "auto auto"},
		{"breaker ORDERS open --pid 2", exitOK, "auto open"},
		{"breaker ORDERS open", exitOK, "open open"}, // one is left to change
		{"breaker ORDERS closed --yes", exitOK, "closed closed"},
		{"breaker ORDERS ajar", exitUsage, "closed closed"},
		{"breaker", exitUsage, "closed closed"},
		{"breaker ORDERS auto now", exitUsage, "closed closed"},
		{"breaker MAIL open", exitNotFound, "closed closed"},
		{"breaker ORDERS auto --pid 3", exitNotFound, "closed closed"},
		{"breaker ORDERS auto -y -o json", exitOK, "auto auto"},
	} {
		res := l.run(strings.Fields(tt.args)...)
		if res.code != tt.code || force() != tt.want {
			t.Errorf("muster %s: exit code %d, the breakers are %s; want %d, %s\n%s%s", tt.args, res.code, force(), tt.code, tt.want, res.stdout, res.stderr)
		}
	}
}

func TestForcedBreakersForPrograms(t *testing.T) {
	l := fleet(t)
	calls(t, l.caller(1, muster.ClientOptions{Service: "SHOP"}), "ORDERS", 1, nil)
	var list nativewire.List[debugwire.Forced]
	for _, args := range []string{"--dry-run", ""} {
		out := l.must(strings.Fields("breaker ORDERS open -o json " + args)...).stdout
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		c := list.Items[0].Clients[0]
		if c.Service != "SHOP" || c.Before.Force != "auto" || c.After.Force != "open" || c.After.State != "open" || c.After.By != "ann@test" {
			t.Errorf("%s: %+v", args, c)
		}
	}
	if out := l.must("breaker", "ORDERS", "open", "-o", "json").stdout; !strings.Contains(out, `"items": []`) {
		t.Errorf("nothing to do: %s", out)
	}
	if out := l.must("breaker", "ORDERS", "-o", "name").stdout; out != fmt.Sprintln(os.Getpid()) {
		t.Errorf("name: %q", out)
	}
}

func TestBreakerTellsWhyItIsOpen(t *testing.T) {
	l := fleet(t)
	shop := l.caller(1, muster.ClientOptions{Service: "SHOP", Modes: muster.Modes{Throttle: muster.Off, Ejection: muster.Off}})
	calls(t, shop, "ORDERS", 20, errors.New("broken"))
	out := l.must("breaker", "ORDERS").stdout
	if !strings.Contains(out, "20 of 20 calls failed in 10 s, it lets one through in ") || !strings.Contains(out, "(mode shadow: it changes nothing)") {
		t.Errorf("got:\n%s", out)
	}
	off := l.caller(2, muster.ClientOptions{Service: "OFF", Modes: muster.Modes{Breaker: muster.Off}})
	calls(t, off, "ORDERS", 1, nil)
	if out := l.must("breaker", "ORDERS", "open", "--pid", "2").stdout; !strings.HasPrefix(out, "Nothing to change: it is so already, or the breakers are off.") {
		t.Errorf("a breaker that is off:\n%s", out)
	}
}

func TestProgramThatForcesNothingIsAnError(t *testing.T) {
	l := newLab(t)
	asked := 0
	path := l.socket(4711, func(conn net.Conn) {
		asked++
		says("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + []string{"", `{"pid":1,"clients":[{"explanation":{}}]}`, `{"pid":1}`}[min(asked, 2)])(conn)
	})
	if res := l.run("breaker", "ORDERS", "open"); res.code != exitPeer || !strings.Contains(res.stderr, path) {
		t.Errorf("exit code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
}

func TestBreakerCompletesItsWords(t *testing.T) {
	l := fleet(t)
	for args, want := range map[string]string{"breaker ORD": "ORDERS\n", "breaker ORDERS o": "open\n", "breaker ORDERS ": "open\nclosed\nauto\n"} {
		words := strings.Split(args, " ")
		if res := l.run(append([]string{"__complete"}, words...)...); !strings.HasPrefix(res.stdout, want) {
			t.Errorf("%s: %s, want %s", args, res.stdout, want)
		}
	}
}
