package attacks

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

func TestSecretsAreNowhereToBeRead(t *testing.T) {
	g := newTarget(t)
	ops := g.token("ops", "--allow", "read,operate,register")
	g.want(200, "PUT", secret+"/intent", ops, `{"note":"n"}`, "If-Match", "0")
	g.want(403, "GET", "/api/v1/tokens", ops, "")
	wrong := "mst_" + strings.Repeat("w", 32)
	for range 25 {
		g.do("GET", "/api/v1/status", wrong, "")
	}
	places := map[string]string{
		"tokens":  g.want(200, "GET", "/api/v1/tokens", g.admin, ""),
		"audit":   g.want(200, "GET", "/api/v1/namespaces/prod/audit", g.admin, "") + g.want(200, "GET", "/api/v1/namespaces/default/audit", g.admin, ""),
		"metrics": g.want(200, "GET", "/metrics", g.admin, ""),
		"status":  g.want(200, "GET", "/api/v1/status", g.admin, ""),
		"page":    g.want(200, "GET", "/?namespace=prod", g.admin, ""),
		"backup":  g.want(200, "GET", "/api/v1/backup", g.admin, ""),
	}
	program := func(code int, args ...string) {
		cmd := exec.Command(g.Binary, args...)
		cmd.Env = append(os.Environ(), "MUSTER_TOKEN="+ops)
		out, _ := cmd.CombinedOutput() // the code says it
		if cmd.ProcessState.ExitCode() != code {
			t.Errorf("%v: exit code %d, want %d\n%s", args[0], cmd.ProcessState.ExitCode(), code, out)
		}
		places["what muster "+args[0]+" prints"] = string(out)
	}
	program(4, "services", "--registry", "muster://x:"+ops+"@127.0.0.1:1", "--timeout", "100ms")
	program(0, "config", "--registry", "muster://x:"+ops+"@"+g.Addr)
	program(5, "token", "list", "--registry", "muster://x:"+ops+"@"+g.Addr)
	program(0, "audit", "--registry", "muster://x:"+ops+"@"+g.Addr)
	for _, file := range []string{"cmdline", "environ"} { // where the system has such
		if text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(g.PID()), file)); err == nil {
			places["the server's "+file] = string(text)
		}
	}
	g.Stop()
	places["the log"] = g.Process.Log()
	err := filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		places[path] = string(text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for where, text := range places {
		for name, token := range map[string]string{"an admin's": g.admin, "an operator's": ops, "a wrong one's": wrong} {
			if strings.Contains(text, token) {
				t.Errorf("%s text is in %s", name, where)
			}
		}
	}
	g.Process.Restart() // for the last look at it
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	g := newTarget(t)
	for name, want := range map[string]fs.FileMode{"": fs.ModeDir | 0o700, "muster.db": 0o600, "control.sock": fs.ModeSocket | 0o600} {
		info, err := os.Lstat(filepath.Join(g.Data, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%q: %v, %v; want %v", name, info, err, want)
		}
	}
}

func TestNamesCannotForgeLinesOfTheLog(t *testing.T) {
	g := newTarget(t)
	const forged = "FORGED level=ERROR"
	for _, name := range []string{"a\n" + forged, "a\r\n" + forged, "\x1b[2J" + forged, "a\u2028" + forged, "a\u202e" + forged} {
		escaped := strings.NewReplacer("\n", "%0A", "\r", "%0D", "\x1b", "%1B", " ", "%20", "[", "%5B").Replace(name)
		g.do("GET", "/"+escaped, g.admin, "")
		g.do("PUT", "/api/v1/namespaces/prod/services/"+escaped+"/instances/i", g.admin, lease)
		g.do("PUT", "/api/v1/namespaces/prod/services/S/instances/"+escaped, g.admin, lease)
		g.do("DELETE", "/api/v1/tokens/"+escaped, g.admin, "")
		g.do("PUT", "/ns/prod/eureka/apps/S/"+escaped+"?lastDirtyTimestamp="+escaped, g.admin, "")
		g.do("PUT", secret+"/intent?why="+escaped, g.admin, `{"note":`+strconv.Quote(name)+`}`, "If-Match", "0")
		g.raw("GET /livez HTTP/1.1\r\nHost: " + escaped + "\r\nAuthorization: Bearer " + escaped + "\r\nMuster-By: " + escaped + "\r\n\r\n")
	}
	for _, args := range [][]string{{"audit", "--namespace", "prod"}, {"instances", "PLANS", "--namespace", "prod"}, {"services", "--namespace", "prod"}} {
		out, err := exec.Command(g.Binary, append(args, "--registry", "muster://x:"+g.admin+"@"+g.Addr)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
		if bytes.ContainsAny(out, "\x1b\r") || bytes.Contains(out, []byte("\n"+forged)) {
			t.Errorf("%v prints what steers a terminal: %q", args, out)
		}
	}
	g.Stop()
	for l := range strings.Lines(g.Process.Log()) {
		if strings.HasPrefix(l, forged) || strings.Contains(l, "\x1b") {
			t.Errorf("the log has a line of the attacker's: %q", l)
		}
	}
	g.Process.Restart() // for the last look at it
}

// second starts another server beside a target, with more flags.
func second(t *testing.T, g *target, flags ...string) *peer.Server {
	t.Helper()
	s := &peer.Server{Binary: g.Binary, Addr: peer.Loopback(peer.FreePort(t))}
	s.URL = "https://" + s.Addr
	s.Process = peer.Start(t, peer.Command{
		Name: "muster serve with TLS", Path: g.Binary, Args: append([]string{"serve", "--listen", s.Addr, "--data", "memory:"}, flags...),
		Ready: peer.TCP(s.Addr),
	})
	return s
}

// resident is how much memory a process has, in bytes; 0 where the system does not say.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
