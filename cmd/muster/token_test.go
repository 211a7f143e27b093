package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/server"
)

// guardedLab is a registry that lets nobody in without a token, with a data directory.
func guardedLab(t *testing.T) (l *lab, dir string) {
	t.Helper()
	none := access.None
	dir = filepath.Join(t.TempDir(), "data")
	return newLabWith(t, server.Options{Data: dir, Anonymous: &none, Version: version()}), dir
}

// refused wants exit code 5 and words.
func (l *lab) refused(words string, args ...string) {
	l.t.Helper()
	if res := l.run(args...); res.code != exitDenied || !strings.Contains(res.stderr, words) {
		l.t.Errorf("muster %s: exit code %d, %s%s; want 5 and %q", strings.Join(args, " "), res.code, res.stdout, res.stderr, words)
	}
}

func TestFirstTokenIsMadeOnTheServersMachine(t *testing.T) {
	l, dir := guardedLab(t)
	l.refused("whoever shows no token may do nothing here", "services")
	l.refused("whoever shows no token may do nothing here", "token", "list")
	res := l.must("token", "create", "ops", "--allow", "admin", "--data", dir)
	token := strings.TrimSuffix(res.stdout, "\n")
	if len(token) != 36 || !strings.HasPrefix(token, "mst_") || strings.Contains(res.stderr, token) {
		t.Fatalf("stdout %q, stderr %q; want the token alone on stdout", res.stdout, res.stderr)
	}
	l.env["MUSTER_TOKEN"] = token
	l.must("services")
	if res := l.must("token", "list"); !strings.Contains(res.stdout, "ops") || strings.Contains(res.stdout, token) || !strings.Contains(res.stdout, "ago") {
		t.Errorf("list: %s", res.stdout)
	}
	if res := l.must("config"); strings.Contains(res.stdout, token) || !strings.Contains(res.stdout, "***") {
		t.Errorf("config shows the token: %s", res.stdout)
	}
}

// Uses are kept in memory: a list must not look as if it knew of those before a restart.
func TestAListOfTokensSaysSinceWhenUsesAreKnown(t *testing.T) {
	l, dir := guardedLab(t)
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "ops", "--allow", "admin", "--data", dir).stdout)
	l.must("token", "create", "spare", "--allow", "read")
	start := l.server.Store().State().Started.UTC().Format("2006-01-02 15:04:05 MST")
	if res := l.must("token", "list"); !strings.Contains(res.stdout, "not since the start") || !strings.Contains(res.stdout, "Uses are known since the start of the server, "+start+".") {
		t.Errorf("list: %s\nwant that uses are known since %s", res.stdout, start)
	}
	if res := l.must("token", "list", "-o", "json"); !strings.Contains(res.stdout, `"since"`) || res.stderr != "" {
		t.Errorf("list as JSON: %s%s", res.stdout, res.stderr)
	}
	l.stop()
	if res := l.must("token", "list", "--data", dir); strings.Count(res.stdout, "not known") != 2 || strings.Contains(res.stdout, "since") {
		t.Errorf("list of a server that is stopped: %s", res.stdout)
	}
}

func TestTokensAreMadeListedAndRevokedOverTheNetwork(t *testing.T) {
	l, dir := guardedLab(t)
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "ops", "--allow", "admin", "--data", dir).stdout)
	res := l.must("token", "create", "orders", "--allow", "register:ORDERS*,read", "--namespace", "prod", "--expires", "90d", "-o", "json")
	var made nativewire.NewToken
	if err := json.Unmarshal([]byte(res.stdout), &made); err != nil || made.Namespace != "prod" || len(made.Text) != 36 {
		t.Fatalf("%s: %v", res.stdout, err)
	}
	if life := time.Until(made.Expires); life < 89*24*time.Hour || life > 90*24*time.Hour+time.Second {
		t.Errorf("it lives for %v", life)
	}
	if res := l.must("token", "list", "-o", "name"); res.stdout != "ops\norders\n" {
		t.Errorf("list: %q", res.stdout)
	}
	l.put("ORDERS", "10.0.0.1:80", inNamespace("prod"))
	admin := l.env["MUSTER_TOKEN"]
	l.env["MUSTER_TOKEN"] = made.Text
	l.must("services", "--namespace", "prod")
	l.refused("token:orders may not read namespace default; it may: register:ORDERS*, read in namespace prod alone", "services")
	l.refused("token:orders may not operate service ORDERS in namespace prod", "deregister", "ORDERS", "10.0.0.1:80", "--namespace", "prod")
	l.refused("token:orders may not administer this server", "token", "list")
	l.env["MUSTER_TOKEN"] = admin
	l.must("token", "revoke", "orders", "--why", "test over")
	l.env["MUSTER_TOKEN"] = made.Text
	l.refused("token:orders was revoked", "services", "--namespace", "prod")
	l.env["MUSTER_TOKEN"] = admin
	if res := l.run("token", "revoke", "orders"); res.code != exitNotFound {
		t.Errorf("revoked again: %d %s", res.code, res.stderr)
	}
	if res := l.must("audit", "--namespace", "prod"); !strings.Contains(res.stdout, "revoke-token") || !strings.Contains(res.stdout, "token:ops") || !strings.Contains(res.stdout, "test over") {
		t.Errorf("audit: %s", res.stdout)
	}
	at := l.server.Addr().String()
	for _, u := range []string{"muster://x:" + admin + "@" + at, "muster://" + at + "?token=" + admin} {
		delete(l.env, "MUSTER_TOKEN")
		if res := l.must("services", "--registry", u); strings.Contains(res.stderr, "WARNING") {
			t.Errorf("a warning on loopback: %s", res.stderr)
		}
	}
}

func TestTokensAreMadeWhileTheServerIsStopped(t *testing.T) {
	l, dir := guardedLab(t)
	l.stop()
	res := l.must("token", "create", "ops", "--allow", "admin", "--data", dir)
	if len(res.stdout) != 37 {
		t.Fatalf("stdout %q", res.stdout)
	}
	if res := l.must("token", "list", "--data", dir, "-o", "name"); res.stdout != "ops\n" {
		t.Errorf("list: %q", res.stdout)
	}
	none := access.None
	again := newLabWith(t, server.Options{Data: dir, Anonymous: &none})
	again.env["MUSTER_TOKEN"] = strings.TrimSpace(res.stdout)
	again.must("services")
	if res := again.must("token", "list", "-o", "json"); !strings.Contains(res.stdout, `"by": "local:`) {
		t.Errorf("list: %s", res.stdout)
	}
}

func TestTokensThatMeanNothingAreUsageErrors(t *testing.T) {
	l, dir := guardedLab(t)
	for _, args := range [][]string{
		{"token"}, {"token", "create"}, {"token", "create", "x", "--data", dir}, {"token", "create", "x", "--allow", "write", "--data", dir},
		{"token", "create", "x", "--allow", "read", "--expires", "soon", "--data", dir}, {"token", "create", "x", "--allow", "read", "--expires", "-1h", "--data", dir},
		{"token", "create", "x", "--allow", "read", "--expires", "0d", "--data", dir}, {"token", "create", "x y", "--allow", "read", "--data", dir},
		{"token", "create", "x", "--allow", "admin", "--namespace", "prod", "--data", dir}, {"token", "list", "--data", "memory:"},
	} {
		if res := l.run(args...); res.code != exitUsage || res.stdout != "" && args[1:] != nil && res.stdout[0] == 'm' {
			t.Errorf("%v: exit code %d, %q %q; want 2", args, res.code, res.stdout, res.stderr)
		}
	}
}

func TestCertificateHasNoTextToShow(t *testing.T) {
	l, dir := guardedLab(t)
	res := l.must("token", "create", "orders", "--certificate", "orders.example", "--allow", "register:ORDERS", "--data", dir)
	if res.stdout != "" || !strings.Contains(res.stderr, "Certificate orders.example may register:ORDERS") {
		t.Errorf("stdout %q, stderr %q", res.stdout, res.stderr)
	}
}

func TestTokenOverPlainHTTPToAnotherMachineIsWarnedOf(t *testing.T) {
	l := newLab(t)
	l.env["MUSTER_TOKEN"] = "mst_secret"
	res := l.run("services", "--registry", "muster://192.0.2.1:1", "--timeout", "10ms")
	if !strings.Contains(res.stderr, "WARNING: the token goes to 192.0.2.1:1 over plain HTTP") || strings.Contains(res.stderr, "mst_secret") {
		t.Errorf("stderr: %s", res.stderr)
	}
}

func TestATokenIsBoundToTheNamespaceOfTheRegistrysURL(t *testing.T) {
	l, dir := guardedLab(t)
	ops := strings.TrimSpace(l.must("token", "create", "ops", "--allow", "admin", "--data", dir).stdout)
	l.env["MUSTER_TOKEN"] = ops
	l.env["MUSTER_REGISTRY"] += "/shop"
	if res := l.must("token", "create", "till", "--allow", "read", "--why", "the tills"); !strings.Contains(res.stderr, "may read in namespace shop (the registry's own;") {
		t.Errorf("create: %s", res.stderr)
	}
	if res := l.must("token", "create", "all", "--allow", "read", "--namespace", ""); strings.Contains(res.stderr, "namespace") {
		t.Errorf("create for all: %s", res.stderr)
	}
	if res := l.must("token", "create", "stock", "--allow", "read", "--namespace", "depot"); !strings.Contains(res.stderr, "may read in namespace depot,") {
		t.Errorf("create for another: %s", res.stderr)
	}
	list := l.must("token", "list", "-o", "wide").stdout
	if !strings.Contains(list, "WHY") || !strings.Contains(list, "the tills") {
		t.Errorf("list -o wide has no reasons: %s", list)
	}
}

func TestStatusOfATokenBoundToANamespaceShowsThatOne(t *testing.T) {
	l, dir := guardedLab(t)
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "till", "--allow", "read", "--namespace", "shop", "--data", dir).stdout)
	if out := l.must("status").stdout; !strings.Contains(out, " shop ") || strings.Contains(out, " default ") {
		t.Errorf("status: %s", out)
	}
}

func TestAPreviewDoesNotNameWhomTheServerKnowsBetter(t *testing.T) {
	l, dir := guardedLab(t)
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "ops", "--allow", "admin", "--data", dir).stdout)
	l.put("ORDERS", "a", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.1:1"}))
	l.put("ORDERS", "b", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.2:1"}))
	if out := l.must("disable", "ORDERS", "a", "--dry-run").stdout; !strings.Contains(out, "disabled\n") {
		t.Errorf("the preview: %s", out)
	}
	if out := l.must("disable", "ORDERS", "a").stdout; !strings.Contains(out, "disabled by token:ops\n") {
		t.Errorf("what was done: %s", out)
	}
}

func TestTheAuditOfABackupSaysWhereItWent(t *testing.T) {
	l, dir := guardedLab(t)
	l.must("backup", filepath.Join(t.TempDir(), "monday.db"), "--data", dir)
	l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "ops", "--allow", "admin", "--data", dir).stdout)
	if out := l.must("audit").stdout; !strings.Contains(out, "over the control socket") {
		t.Errorf("audit: %s", out)
	}
}
