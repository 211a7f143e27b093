package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/server"
)

func TestVersionAndStatusShowBothSides(t *testing.T) {
	t.Parallel()
	l := newLabWith(t, server.Options{Version: "v0.7.1"})
	host := strings.TrimPrefix(l.env["MUSTER_REGISTRY"], "muster://")

	var shown versionsShown
	if err := json.Unmarshal([]byte(l.must("version", "-o", "json").stdout), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Version != version() || len(shown.Servers) != 1 || shown.Servers[0] != (serverVersion{host, "v0.7.1"}) {
		t.Errorf("version: %+v", shown)
	}
	if out := l.must("version").stdout; !strings.Contains(out, host) || !strings.Contains(out, "v0.7.1") || !strings.Contains(out, version()) {
		t.Errorf("version: %s", out)
	}
	if out := l.must("version", "-o", "name").stdout; out != version()+"\n" {
		t.Errorf("version -o name: %q", out)
	}
	if out := l.must("--version").stdout; out != "muster version "+version()+"\n" {
		t.Errorf("--version: %q", out)
	}
	var status statuses
	if err := json.Unmarshal([]byte(l.must("status", "-o", "json").stdout), &status); err != nil {
		t.Fatal(err)
	}
	if status.Program != version() || status.Items[0].Version != "v0.7.1" {
		t.Errorf("status: %+v", status)
	}
	if out := l.must("status").stdout; !strings.Contains(out, host+" is v0.7.1, this program is "+version()+".") {
		t.Errorf("status: %s", out)
	}
}

func TestVersionNeedsNoServer(t *testing.T) {
	l := newLab(t)
	for _, registry := range []string{"muster://" + closedPort(t), "local:"} {
		if res := l.must("version", "--registry", registry); !strings.Contains(res.stdout, version()) || res.stderr != "" {
			t.Errorf("%s: %s%s", registry, res.stdout, res.stderr)
		}
	}
}
