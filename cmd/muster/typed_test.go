package main

import (
	"strings"
	"testing"

	"github.com/muster-go/muster"
)

func TestMistakesInTypingAreSaidInWords(t *testing.T) {
	l := newLab(t)
	for _, tt := range []struct{ args, want string }{
		{"help nosuch", `there is no help about "nosuch"; muster help lists what there is`},
		{"help serivces", "did you mean services?"},
		{"explain ORDERS --pid x", `--pid "x": a whole number is meant`},
		{"breaker ORDERS --pid 1.5", `--pid "1.5": a whole number is meant`},
		{"wait ORDERS --within long", `--within "long": a time is meant, such as 30s or 1m30s`},
		{"audit --before -1", `--before "-1": a whole number from 0 is meant`},
		{"serve --preserve=maybe", `--preserve "maybe": true or false is meant`},
	} {
		res := l.run(strings.Fields(tt.args)...)
		if res.code != exitUsage || res.stdout != "" || !strings.Contains(res.stderr, tt.want) || strings.Contains(res.stderr, "strconv") {
			t.Errorf("muster %s: exit code %d, %q, %q; want %d and %q", tt.args, res.code, res.stdout, res.stderr, exitUsage, tt.want)
		}
	}
	for _, args := range []string{"help", "help services", "help exit-codes", "help completion bash"} {
		if res := l.run(strings.Fields(args)...); res.code != exitOK || res.stdout == "" {
			t.Errorf("muster %s: exit code %d, %s", args, res.code, res.stderr)
		}
	}
}

func TestInstancesFitTheTerminal(t *testing.T) {
	l := fleet(t)
	c := l.cli()
	v, err := c.view(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows []muster.Standing
	for _, s := range v.Table.Services {
		rows = append(rows, muster.Explain(v, s.Service, "").Rows...)
	}
	for _, columns := range []int{60, 80, 100, 200} {
		tb := c.instanceTable(rows, nil, true, false)
		tb.columns = columns
		var b strings.Builder
		if _, err := tb.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := cellWidth(strings.TrimSuffix(line, "\n")); n > columns {
				t.Errorf("a line of %d of %d columns:\n%s", n, columns, b.String())
			}
		}
		for _, want := range []string{"10.0.0.3:8080", "out_of_service", "disabled by"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%d columns: %q is missing:\n%s", columns, want, b.String())
			}
		}
		if strings.Contains(b.String(), "STATUS") != (columns > 100) {
			t.Errorf("%d columns: STATUS shown or not:\n%s", columns, b.String())
		}
	}
}
