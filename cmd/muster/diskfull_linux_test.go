package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

// The disk is full by RLIMIT_FSIZE: the file may not grow, as on a full disk, and the signal that comes with it is ignored.
func TestFullDiskRefusesActsIsFoundByDoctorAndServesOn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := closedPort(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	script := fmt.Sprintf("trap '' XFSZ; ulimit -f 128; exec %s serve --listen %s --data %s", exe, addr, data)
	var out output
	cmd := exec.Command("/bin/bash", "-c", script)
	cmd.Env = append(os.Environ(), asProgram+"=1", "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("muster serve wrote:\n%.4000s", out.String())
		}
	}()
	l.env["MUSTER_REGISTRY"] = "muster://" + addr
	await(t, "the server", func() bool { return l.run("status").code == exitOK })

	c := l.cli()
	r, err := c.registry(&muster.Options{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat("x", 8<<10)
	for i := range 40 { // 320 KiB into a file of 128
		_, err := r.Register(t.Context(), muster.Instance{
			Service: "ORDERS", Endpoints: []muster.Endpoint{{Scheme: "http", Address: fmt.Sprintf("10.0.0.%d:80", i+1)}}, Metadata: map[string]string{"pad": pad},
		})
		if err != nil {
			t.Fatalf("registering on a full disk: %v", err)
		}
	}
	await(t, "M105", func() bool { return strings.Contains(l.run("doctor").stdout, "M105") })
	res := l.run("note", "ORDERS", "10.0.0.1:80", strings.Repeat("y", 1000))
	for i := 0; res.code == exitOK && i < 100; i++ { // free pages inside the file take a few
		res = l.run("note", "ORDERS", "10.0.0.1:80", fmt.Sprint(i)+strings.Repeat("y", 1000))
	}
	if res.code != exitFailed || !strings.Contains(res.stderr, "exhausted") {
		t.Errorf("an act on a full disk: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.must("instances", "ORDERS", "-o", "name"); strings.Count(res.stdout, "\n") != 40 {
		t.Errorf("it does not serve on: %s", res.stdout)
	}
}
