package main

import (
	"errors"
	"testing"

	"github.com/muster-go/muster/internal/demo"
)

func TestDemoFailsWhenAClaimDoesNotHold(t *testing.T) {
	held, broken := demo.Claim{Name: "a", OK: true}, demo.Claim{Name: "b"}
	for _, c := range []struct {
		claims []demo.Claim
		err    error
		want   int
	}{
		{[]demo.Claim{held}, nil, exitOK},
		{[]demo.Claim{held, broken}, nil, exitFailed},
		{[]demo.Claim{held}, errors.New("a process ended"), exitFailed},
		{[]demo.Claim{broken}, errors.New("a process ended"), exitFailed},
	} {
		if got := exitCode(demoResult(&demo.Report{Claims: c.claims}, c.err)); got != c.want {
			t.Errorf("claims %+v, error %v: exit code %d, want %d", c.claims, c.err, got, c.want)
		}
	}
}

func TestDemoServiceWantsARoleAndAStore(t *testing.T) {
	for _, args := range [][]string{{"demo", "service"}, {"demo", "service", "push"}, {"demo", "service", "nobody", "--store", "http://127.0.0.1:1"}} {
		if got := newLab(t).run(args...); got.code != exitUsage {
			t.Errorf("muster %v: exit code %d (%s), want %d", args, got.code, got.stderr, exitUsage)
		}
	}
}
