package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/load"
)

func TestBenchMeasuresAndLeavesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("ORDERS", "mine")
	before := l.server.Store().Namespaces()
	res := l.must("bench", "--instances", "50", "--rate", "100", "--duration", "1200ms", "--reads", "5", "--watchers", "2", "--changes", "10", "--max-errors", "1000", "--timeout", "1m")
	for _, want := range []string{"KIND", "P99.9", "register", "heartbeat", "read", "change", "push", "Server:", "of a processor"} {
		if !strings.Contains(res.stdout, want) {
			t.Errorf("it does not print %q:\n%s", want, res.stdout)
		}
	}
	if !strings.Contains(res.stderr, "load 1s of 1.2s · heartbeat ") {
		t.Errorf("progress on stderr: %s", res.stderr)
	}
	if n := l.server.Store().State().Instances; n != 1 {
		t.Errorf("%d instances are registered, want the one that was", n)
	}
	if after := l.server.Store().Namespaces(); !slices.Equal(after, before) {
		t.Errorf("namespaces %q, there were %q", after, before)
	}
}

func TestBenchTellsProgramsEverything(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	res := l.must("bench", "--protocol", "eureka", "--instances", "20", "--interval", "200ms", "--duration", "1s", "-o", "json", "--max-errors", "1000", "--timeout", "1m")
	var report load.Report
	if err := json.Unmarshal([]byte(res.stdout), &report); err != nil {
		t.Fatalf("%v in %s", err, res.stdout)
	}
	if report.Protocol != load.Eureka || len(report.Results) != 2 || report.Results[1].Done+report.Results[1].Dropped != 100 || report.Results[1].P99 <= 0 || report.Server == nil {
		t.Errorf("%+v", report)
	}
	if got := l.must("bench", "--instances", "1", "--duration", "100ms", "-o", "name").stdout; !strings.HasPrefix(got, load.Prefix) {
		t.Errorf("-o name printed %q", got)
	}
}

func TestBenchOfAnotherMachineAsksFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	res := l.run("bench", "--registry", "muster://192.0.2.1:8761", "--changes", "5", "--watchers", "3")
	if res.code != exitUsage || !strings.Contains(res.stderr, "192.0.2.1:8761 will get 1000 instances") || !strings.Contains(res.stderr, "--yes") {
		t.Errorf("exit code %d: %s", res.code, res.stderr)
	}
}

func TestBenchRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, tt := range []struct {
		args, says string
		code       int
	}{
		{"--namespace prod", `"prod" does not begin with muster-bench-`, exitUsage},
		{"--remove prod", `"prod" does not begin with muster-bench-`, exitUsage},
		{"--registry local:", "muster://HOST:8761 is meant", exitUsage},
		{"--protocol soap", `"soap" is neither native nor eureka`, exitUsage},
		{"--instances 0 --services 5000", "at least one instance each", exitUsage},
		{"--rate -1", "0 to 1e+06 heartbeats a second", exitUsage},
		{"--rate 1e18", "0 to 1e+06 heartbeats a second", exitUsage},
		{"--rate NaN", "0 to 1e+06 heartbeats a second", exitUsage},
		{"--registry muster://127.0.0.1:1", "127.0.0.1:1: dial", exitUnreachable},
	} {
		res := l.run(append([]string{"bench", "--duration", "10ms"}, strings.Fields(tt.args)...)...)
		if res.code != tt.code || !strings.Contains(res.stderr, tt.says) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", tt.args, res.code, tt.code, tt.says, res.stderr)
		}
	}
}

func TestBenchNamesAndRemovesWhatAKilledRunLeft(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	target := load.Target{Addr: l.server.Addr().String()}
	const left = load.Prefix + "killed"
	if _, err := load.Run(t.Context(), load.Options{Target: target, Namespace: left, Instances: 30, Duration: time.Millisecond, Keep: true}); err != nil {
		t.Fatal(err)
	}
	res := l.must("bench", "--instances", "1", "--duration", "10ms")
	if want := "Namespace muster-bench-killed holds 30 instances of another run. If that was killed: muster bench --remove muster-bench-killed"; !strings.Contains(res.stderr, want) {
		t.Errorf("the next run does not say %q: %s", want, res.stderr)
	}
	if res := l.must("bench", "--remove", left); !strings.Contains(res.stderr, "30 instances of muster-bench-killed deregistered") {
		t.Errorf("removing them: %s", res.stderr)
	}
	if n := l.server.Store().State().Instances; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

func TestBenchEndedByCtrlCSumsUpAndLeavesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the run: it registers first, and would go on for an hour
		for l.server.Store().State().Instances == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	res := l.runWith(ctx, "", "bench", "--instances", "100", "--duration", "1h", "--max-errors", "1000")
	if res.code != exitOK || !strings.Contains(res.stdout, "register") || !strings.Contains(res.stderr, "It was ended after") {
		t.Errorf("exit code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	if n := l.server.Store().State().Instances; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

func TestBenchFailsWhenMoreWentWrongThanIsAllowed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	instances := func() int { return l.server.Store().State().Instances }
	for _, tt := range []struct {
		allowed string
		code    int
	}{{"0", exitFailed}, {"1000000", exitOK}} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { // what it registered is forgotten once, and comes back
			defer close(done)
			defer cancel()
			await(t, "its instances", func() bool { return instances() == 10 })
			for _, n := range l.server.Store().Namespaces() {
				if _, err := load.Remove(t.Context(), &load.Target{Addr: l.server.Addr().String()}, n); err != nil {
					t.Error(err)
				}
			}
			await(t, "them again", func() bool { return instances() == 10 })
		}()
		res := l.runWith(ctx, "", "bench", "--instances", "10", "--connections", "1", "--rate", "100", "--duration", "1h", "--max-errors", tt.allowed)
		<-done
		if res.code != tt.code || !strings.Contains(res.stdout, "heartbeat × ") || !strings.Contains(res.stdout, "lapsed") {
			t.Errorf("--max-errors %s: exit code %d, want %d\n%s%s", tt.allowed, res.code, tt.code, res.stdout, res.stderr)
		}
	}
}
