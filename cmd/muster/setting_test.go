package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "muster.yaml")
	text := "registry: lab\ntimeout: 3s\nzone: eu-1a\nregistries:\n  lab: muster://lab:8761\n  prod:\n    url: muster://ann:pw@prod:8761\n    options: {token: file:token}\nserve:\n  listen: 10.0.0.5:8761\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(args ...string) map[string]shownSetting {
		t.Helper()
		var out struct{ Items []shownSetting }
		if err := json.Unmarshal([]byte(l.must(append(args, "config", "-o", "json", "--config", file)...).stdout), &out); err != nil {
			t.Fatal(err)
		}
		got := map[string]shownSetting{}
		for _, s := range out.Items {
			got[s.Key] = s
		}
		return got
	}
	url := l.env["MUSTER_REGISTRY"]
	for _, tt := range []struct {
		what string
		got  shownSetting
		want shownSetting
	}{
		{"flag", read("--registry", "prod")["registry"], shownSetting{"registry", "prod", "flag --registry"}},
		{"environment", read()["registry"], shownSetting{"registry", url, "environment MUSTER_REGISTRY"}},
		{"file", read()["timeout"], shownSetting{"timeout", "3s", file + ":2"}},
		{"file, for another command", read()["serve.listen"], shownSetting{"serve.listen", "10.0.0.5:8761", file + ":10"}},
		{"default", read()["register.ttl"], shownSetting{"register.ttl", "30s", "default"}},
		{"the format itself", read()["output"], shownSetting{"output", "json", "flag --output"}},
		{"a registry", read()["registries.prod"], shownSetting{"registries.prod", "muster://***@prod:8761", file + ":6"}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.what, tt.got, tt.want)
		}
	}
	delete(l.env, "MUSTER_REGISTRY")
	if got := read()["registry"]; got.Value != "lab" || got.From != file+":1" {
		t.Errorf("file: got %+v", got)
	}
}

func TestRegistryByNameTakesItsNamespace(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", inNamespace("live"))
	l.env["ADDR"] = l.server.Addr().String()
	delete(l.env, "MUSTER_REGISTRY")
	file := filepath.Join(t.TempDir(), "muster.yaml")
	text := "registry: prod\nregistries:\n  prod:\n    url: muster://${ADDR}\n    namespace: live\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l.env["MUSTER_CONFIG"] = file
	if got := l.must("services", "-o", "name").stdout; got != "ORDERS\n" {
		t.Errorf("got %q", got)
	}
	if got := l.must("services", "-o", "name", "-n", "default").stdout; got != "" {
		t.Errorf("in another namespace: got %q", got)
	}
	for args, want := range map[string]string{
		"services --registry nowhere":                   `registry "nowhere" is neither a URL nor one of prod`,
		"config --registry nowhere":                     `registry "nowhere" is neither a URL nor one of prod`,
		"services --registry etcd://h":                  "planned",
		"services --registry muster://h:1/a -n b":       `names the namespace "a", but "b" is asked for`,
		"services --registry muster://h:1?colour=green": "colour",
		"services --timeout soon":                       `flag --timeout: "soon" is not a duration`,
		"services -o xml":                               `output "xml" is not one of table, wide, json, yaml, name`,
		"services --config /nowhere/muster.yaml":        "there is no such file",
	} {
		res := l.run(strings.Fields(args)...)
		if res.code == exitOK || !strings.Contains(res.stderr, want) {
			t.Errorf("muster %s: exit code %d, %s\nwant %q", args, res.code, res.stderr, want)
		}
	}
	if err := os.WriteFile(file, []byte("registry: prod\ncolour: green\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := l.run("services"); res.code != exitUsage || !strings.Contains(res.stderr, file+`:2: unknown key "colour"`) {
		t.Errorf("an unknown key: exit code %d, %s", res.code, res.stderr)
	}
}

func TestConfigShowsWhereAnUnknownRegistryIsWritten(t *testing.T) {
	l := newLab(t)
	l.env["MUSTER_REGISTRY"] = "nosuch"
	res := l.run("config")
	if res.code != exitUsage || !strings.Contains(res.stderr, `registry "nosuch" is not a URL`) {
		t.Errorf("exit code %d, %s", res.code, res.stderr)
	}
	if !strings.Contains(res.stdout, "environment MUSTER_REGISTRY") {
		t.Errorf("it does not say where the name came from: %s", res.stdout)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080")
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<html>welcome</html>"))
	}))
	defer html.Close()
	denies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer denies.Close()
	for _, tt := range []struct {
		args string
		code int
		want string // in stderr
	}{
		{"services", exitOK, ""},
		{"help", exitOK, ""},
		{"disable --help", exitOK, ""},
		{"services extra", exitUsage, "takes no arguments"},
		{"services --colour", exitUsage, "unknown flag"},
		{"disable", exitUsage, "wants a service"},
		{"disable ORDERS", exitUsage, "which instance of ORDERS?"},
		{"disable ORDERS 10 --all", exitUsage, "not both"},
		{"weight ORDERS 10.0.0.1:8080 heavy", exitUsage, "neither a number"},
		{"weight ORDERS 10.0.0.1:8080 10001", exitUsage, "neither a number"},
		{"disable ORDERS --zone nowhere", exitNotFound, "no instance with --zone nowhere"},
		{"explain", exitUsage, "wants a service"},
		{"call ORDERS /x --tries 9", exitUsage, "outside 1..8"},
		{"watch -o yaml", exitUsage, "a line a change"},
		{"wait ORDERS --for -1", exitUsage, "less than none"},
		{"serve --data=", exitUsage, "no name"},
		{"serve --listen= --data memory:", exitUsage, "host:port is meant"},
		{"serve --listen 28769 --data memory:", exitUsage, "host:port is meant"},
		{"serve --listen 127.0.0.1:99999 --data memory:", exitUsage, "host:port is meant"},
		{"serve --listen 127.0.0.1:0 --data memory: --tls-cert cert.pem", exitUsage, "--tls-key too"},
		{"serve --listen 127.0.0.1:0 --data memory: --tls-key key.pem", exitUsage, "--tls-cert too"},
		{"serve --listen 127.0.0.1:0 --data memory: --client-ca ca.pem", exitUsage, "--tls-cert and --tls-key too"},
		{"serve --listen 127.0.0.1:0 --data memory: --limits total=10", exitUsage, "10 bytes"},
		{"services --registry muster://" + closedPort(t), exitUnreachable, "connection refused"},
		{"status --registry muster://" + closedPort(t), exitUnreachable, "connection refused"},
		{"services --registry muster://" + html.Listener.Addr().String(), exitUnreachable, "HTML"},
		{"services --registry muster://" + denies.Listener.Addr().String(), exitDenied, ""},
	} {
		res := l.run(strings.Fields(tt.args)...)
		if res.code != tt.code || !strings.Contains(res.stderr, tt.want) {
			t.Errorf("muster %s: exit code %d, %s\nwant %d and %q", tt.args, res.code, res.stderr, tt.code, tt.want)
		}
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	c := &cli{getenv: func(string) string { return "" }, keys: settingKeys(func(string) string { return "" })}
	root := c.root()
	n := 0
	for _, cmd := range root.Commands() {
		if cmd.Name() == "exit-codes" || cmd.Name() == "help" {
			continue
		}
		n++
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s: no short text or no example", cmd.Name())
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 131 {
				t.Errorf("%s: a line of %d characters in the help: %s", cmd.Name(), len(line), line)
			}
		}
		checkExamples(t, root, cmd)
	}
	if n < 20 {
		t.Errorf("%d commands, want at least 20", n)
	}
}

// checkExamples sees to it that examples name commands and flags that exist.
func checkExamples(t *testing.T, root, cmd *cobra.Command) {
	for line := range strings.Lines(cmd.Example) {
		line, _, _ = strings.Cut(line, " #")
		line, _, _ = strings.Cut(line, " | ")
		_, line, ok := strings.Cut(line, "muster ")
		if !ok {
			t.Errorf("%s: example %q does not run muster", cmd.Name(), line)
			continue
		}
		words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(line))
		found, rest, err := root.Find(words)
		if err != nil || found == root {
			t.Errorf("%s: example %q: %v", cmd.Name(), line, err)
			continue
		}
		for _, w := range rest {
			if w == "--" {
				break
			}
			if name, long := strings.CutPrefix(w, "--"); long && found.Flag(name) == nil {
				t.Errorf("%s: example %q: no flag --%s", cmd.Name(), line, name)
			}
		}
	}
}

func TestCompletionKnowsServicesInstancesAndZones(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", zone("eu-1a"))
	l.put("ORDERS", "10.0.0.2:8080", zone("eu-1b"))
	l.put("MAIL", "10.0.1.1:25")
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"instances", ""}, []string{"MAIL", "ORDERS"}},
		{[]string{"instances", "or"}, []string{"ORDERS"}},
		{[]string{"instances", "ORDERS", ""}, []string{"MAIL"}},
		{[]string{"disable", "ORDERS", ""}, []string{"10.0.0.1:8080\tup", "10.0.0.2:8080\tup"}},
		{[]string{"disable", "ORDERS", "10.0.0.2:8080", ""}, []string{"10.0.0.1:8080\tup"}},
		{[]string{"disable", "ORDERS", "--zone", ""}, []string{"eu-1a", "eu-1b"}},
		{[]string{"services", "-o", ""}, []string{"table", "wide", "json", "yaml", "name"}},
		{[]string{"explain", "--registry", "muster://" + closedPort(t), ""}, nil},
		{[]string{"instances", "-n", "other", ""}, nil},
	} {
		res := l.must(append([]string{"__complete"}, tt.args...)...)
		var got []string
		for line := range strings.Lines(res.stdout) {
			if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, ":") {
				got = append(got, line)
			}
		}
		if strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%v: got %q, want %q", tt.args, got, tt.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if res := l.must("completion", shell); !strings.Contains(res.stdout, "muster") {
			t.Errorf("completion %s: %.80s", shell, res.stdout)
		}
	}
}
