package main

import (
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/registry/open"
)

func TestAStaticInstanceIsRegisteredChangedAndRemoved(t *testing.T) {
	t.Parallel()
	opt := server.Options{Version: version(), Data: t.TempDir()}
	l := newLabWith(t, opt)
	r := l.must("register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static", "--zone", "eu-1a", "-l", "floor=3")
	for _, want := range []string{"up, static", "until it is deregistered", "Undo: muster deregister PRINTER 10.0.0.9:631"} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("register says %s%s, want %q", r.stdout, r.stderr, want)
		}
	}
	if r := l.must("instances", "PRINTER", "-o", "json"); !strings.Contains(r.stdout, `"static": true`) {
		t.Errorf("listed as %s, want static", r.stdout)
	}
	if r := l.must("audit", "PRINTER"); !strings.Contains(r.stdout, "register static") || !strings.Contains(r.stdout, "ann@test") {
		t.Errorf("the audit has %s", r.stdout)
	}
	r = l.must("register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static", "--version", "2")
	const was, is = "--url ipp://10.0.0.9:631 --zone eu-1a -l floor=3", "--url ipp://10.0.0.9:631 --version 2"
	for _, want := range []string{"Before: " + was, "Now:    " + is, "Undo: muster register PRINTER --static --id 10.0.0.9:631 " + was + "\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("a change says %s, want %q", r.stdout, want)
		}
	}
	if r := l.must("audit", "PRINTER"); !strings.Contains(r.stdout, was+"  "+is) {
		t.Errorf("the audit of a change has %s, want before and after", r.stdout)
	}
	if r := l.must("register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static", "--version", "2"); !strings.Contains(r.stdout, "Nothing changed") {
		t.Errorf("the same again says %s", r.stdout)
	}
	l.stop()
	l = newLabWith(t, opt)
	r = l.must("instances", "PRINTER", "-o", "wide")
	if !strings.Contains(r.stdout, "up, static") || strings.Contains(r.stdout, "eu-1a") || !strings.Contains(r.stdout, " 2 ") {
		t.Errorf("after a restart it is listed as %s, want it as changed", r.stdout)
	}
	r = l.must("deregister", "PRINTER", "10.0.0.9:631")
	if want := "Undo: muster register PRINTER --static --id 10.0.0.9:631 --url ipp://10.0.0.9:631 --version 2"; !strings.Contains(r.stdout+r.stderr, want) {
		t.Errorf("deregister says %s%s, want %q", r.stdout, r.stderr, want)
	}
	if r := l.run("instances", "PRINTER"); r.code != exitNotFound {
		t.Errorf("it is still listed: %s", r.stdout)
	}
}

func TestALeaseAndAStaticInstanceDoNotReplaceOneAnother(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("PRINTER", "10.0.0.1:631")
	if r := l.run("register", "PRINTER", "--url", "ipp://10.0.0.1:631", "--static"); r.code != exitConflict || !strings.Contains(r.stderr, "a process that keeps it alive") {
		t.Errorf("over a lease: %d %s", r.code, r.stderr)
	}
	l.must("register", "PRINTER", "--url", "ipp://10.0.0.2:631", "--static")
	driver, err := open.Open(l.env["MUSTER_REGISTRY"], nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := muster.New(driver, nil)
	defer registry.Close(t.Context())
	reg, err := registry.Register(t.Context(), muster.Instance{Service: "PRINTER", Endpoints: []muster.Endpoint{{Scheme: "ipp", Address: "10.0.0.2:631"}}})
	if muster.CodeOf(err) != muster.Conflict || !strings.Contains(err.Error(), "is a static instance") {
		t.Errorf("a process over a static instance: %v, %v", reg, err)
	}
}

func TestStaticRefusesWhatIsAboutACommand(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, args := range [][]string{
		{"--", "sleep", "1"}, {"--health", "tcp"}, {"--drain", "1s"}, {"--ttl", "1m"}, {"extra"},
	} {
		if r := l.run(append([]string{"register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static"}, args...)...); r.code != exitUsage {
			t.Errorf("%q: exit code %d, want usage: %s", args, r.code, r.stderr)
		}
	}
	if r := l.run("register", "--static", "--url", "ipp://10.0.0.9:631"); r.code != exitUsage {
		t.Errorf("without a service: %d", r.code)
	}
	if r := l.run("--registry", "local:", "register", "PRINTER", "--url", "ipp://10.0.0.9:631", "--static"); r.code != exitOK {
		t.Errorf("in this process: %d %s", r.code, r.stderr)
	}
}
