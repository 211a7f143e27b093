//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/server"
)

// The whole way: a server is backed up while it serves and when it is stopped, and both are put back elsewhere and served.
func TestABackupIsTakenWhileServingAndPutBack(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	l := newLabWith(t, server.Options{Data: data, Version: version()})
	l.put("ORDERS", "10.0.0.1:80")
	l.must("disable", "ORDERS", "10.0.0.1:80", "--why", "bad disk", "--yes")
	file := filepath.Join(t.TempDir(), "backup.db")

	online := l.must("backup", file, "--data", data, "-o", "json")
	if !strings.Contains(online.stdout, `"intents": 1`) || !strings.Contains(online.stderr, data+" serves on") {
		t.Errorf("a backup of a server that runs: %s%s", online.stdout, online.stderr)
	}
	if res := l.run("backup", file, "--data", data); res.code != exitFailed || !strings.Contains(res.stderr, "--force") {
		t.Errorf("over a file that is there: exit code %d, %s", res.code, res.stderr)
	}
	l.put("ORDERS", "10.0.0.2:80") // half a second before it would be written by itself
	if res := l.must("backup", file, "--data", data, "--force"); !strings.Contains(res.stdout, "\n2 ") || strings.Contains(res.stderr, "lacks") ||
		!strings.Contains(res.stdout, "muster restore "+file+" --data "+data) {
		t.Errorf("a backup of two instances: %s%s", res.stdout, res.stderr)
	}
	piped := l.must("backup", "-", "--data", data)
	if want, err := os.ReadFile(file); err != nil || len(piped.stdout) < len(want)/2 || !strings.Contains(piped.stderr, "1 intent,") {
		t.Errorf("to stdout: %d bytes, beside a file of %d; %s", len(piped.stdout), len(want), piped.stderr)
	}
	remote := filepath.Join(t.TempDir(), "remote.db")
	if res := l.run("backup", remote); res.code != exitDenied || !strings.Contains(res.stderr, "token") {
		t.Errorf("over the network, without a token: exit code %d, %s", res.code, res.stderr)
	}
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "backups", "--allow", "admin", "--data", data).stdout)
	l.must("backup", remote)
	if res := l.run("restore", file, "--data", data); res.code != exitFailed || !strings.Contains(res.stderr, "another process holds it") {
		t.Errorf("a restore under a server that runs: exit code %d, %s", res.code, res.stderr)
	}
	if audit := l.must("audit"); !strings.Contains(audit.stdout, "backup") {
		t.Errorf("the audit does not have the backups: %s", audit.stdout)
	}
	l.stop()

	again := filepath.Join(t.TempDir(), "again.db")
	if res := l.must("backup", again, "--data", data); strings.Contains(res.stderr, "serves on") {
		t.Errorf("a backup of a server that is stopped: %s", res.stderr)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	first := l.must("restore", file, "--data", elsewhere)
	if !strings.Contains(first.stdout, "muster serve --data "+elsewhere) || strings.Contains(first.stdout, "What was there") {
		t.Errorf("a first restore says %s", first.stdout)
	}
	second := l.must("restore", again, "--data", elsewhere)
	if !strings.Contains(second.stdout, "What was there is now "+elsewhere) {
		t.Errorf("a second restore says %s", second.stdout)
	}
	if res := l.run("restore", os.Args[0], "--data", data); res.code != exitUsage || !strings.Contains(res.stderr, "not muster's file") {
		t.Errorf("restoring a program: exit code %d, %s", res.code, res.stderr)
	}
	l = newLabWith(t, server.Options{Data: elsewhere, Version: version()})
	await(t, "the load", func() bool { return l.run("status").code == exitOK })
	if res := l.must("instances", "ORDERS"); !strings.Contains(res.stdout, "bad disk") {
		t.Errorf("after a restore: %s", res.stdout)
	}
}

func TestABackupThatCannotBeTakenSaysWhy(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	none := filepath.Join(t.TempDir(), "none")
	if res := l.run("backup", filepath.Join(t.TempDir(), "b"), "--data", none); res.code != exitNotFound || !strings.Contains(res.stderr, none) {
		t.Errorf("of nothing: exit code %d, %s", res.code, res.stderr)
	}
	if res := l.run("backup", "b", "--data", "memory:"); res.code != exitUsage {
		t.Errorf("of memory: exit code %d, %s", res.code, res.stderr)
	}
	data := filepath.Join(t.TempDir(), "data")
	newLabWith(t, server.Options{Data: data})
	if err := os.Remove(filepath.Join(data, server.ControlSocket)); err != nil {
		t.Fatal(err)
	}
	if res := l.run("backup", filepath.Join(t.TempDir(), "b"), "--data", data); res.code != exitFailed || !strings.Contains(res.stderr, "control socket does not answer") {
		t.Errorf("of a server whose socket is gone: exit code %d, %s", res.code, res.stderr)
	}
}
