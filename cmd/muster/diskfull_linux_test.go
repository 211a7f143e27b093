package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store/bolt"
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
	script := fmt.Sprintf("trap '' XFSZ; ulimit -S -f 128; exec %s serve --listen %s --data %s", exe, addr, data)
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
	refusedOnDisk(t, "http://"+addr, filepath.Join(data, "muster.db"))
	intents := l.must("audit", "-o", "name").stdout

	// Whatever it keeps can be had elsewhere, and with room again it writes by itself.
	saved := l.must("backup", filepath.Join(t.TempDir(), "backup.db"), "--data", data)
	if !strings.Contains(saved.stderr, "lacks instances registered or changed lately") || !strings.Contains(saved.stdout, "not all that the server has") {
		t.Errorf("a backup that lacks registrations says %s%s", saved.stdout, saved.stderr)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the journal to have everything", func() bool { return strings.Contains(l.run("status").stdout, "ok") })
	l.must("note", "ORDERS", "10.0.0.1:80", "with room again")
	if now := l.must("audit", "-o", "name").stdout; strings.Count(now, "\n") < strings.Count(intents, "\n")+1 {
		t.Errorf("with room again the audit has %d lines, it had %d", strings.Count(now, "\n"), strings.Count(intents, "\n"))
	}
	cmd.Process.Kill()
	_ = cmd.Wait() // killed
	kept, err := bolt.Examine(filepath.Join(data, bolt.File))
	if err != nil || kept.Instances < 40 || kept.Intents != 1 {
		t.Errorf("the data file holds %+v, %v; want 40 instances or one more, and an intent", kept, err)
	}
}

// refusedOnDisk checks what a client hears of a full disk: what must last is refused with 507 and the file's name, heartbeats and
// registrations are not.
func refusedOnDisk(t *testing.T, url, file string) {
	t.Helper()
	instance := url + "/api/v1/namespaces/default/services/ORDERS/instances/10.0.0.2:80"
	put := func(target, body string, header ...string) (int, nativewire.Problem) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var p nativewire.Problem
		body2, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(body2, &p) // an answer that is no problem says nothing here
		return res.StatusCode, p
	}
	status, p := put(instance+"/intent", `{"note":"`+strings.Repeat("z", 1000)+`"}`, "If-Match", "0")
	if status != http.StatusInsufficientStorage || p.Code != muster.Exhausted || !strings.Contains(p.Detail, file) {
		t.Errorf("an intent on a full disk: %d %+v, want 507 with the file's name", status, p)
	}
	for range 3 {
		if status, p := put(url+"/api/v1/namespaces/default/services/BILLING/instances/10.0.0.9:80", `{"endpoints":[{"scheme":"http","address":"10.0.0.9:80"}],"ttl":"1s","owner":"me"}`); status >= 300 {
			t.Errorf("registering and renewing on a full disk: %d %+v", status, p)
		}
	}
}
