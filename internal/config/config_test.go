package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/config"
)

var keys = []config.Key{
	{Name: "registry", Env: "MUSTER_REGISTRY", Default: "muster://127.0.0.1:8761"},
	{Name: "timeout", Env: "MUSTER_TIMEOUT", Default: "5s", Kind: config.Duration},
	{Name: "serve.listen", Env: "MUSTER_LISTEN", Default: "127.0.0.1:8761"},
	{Name: "serve.hosts", Env: "MUSTER_HOSTS", Kind: config.List},
	{Name: "serve.preserve", Env: "MUSTER_PRESERVE", Default: "true", Kind: config.Switch},
}

func none(string) string { return "" }

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "registry: lab\nregistri: x\n", `muster.yaml:2: unknown key "registri" (known: registries, registry, serve, timeout)`},
		{"unknown key below", "serve:\n  listen: :1\n  lissen: :2\n", `muster.yaml:3: unknown key "serve.lissen" (known: hosts, listen, preserve)`},
		{"twice", "registry: a\nregistry: b\n", "muster.yaml"},
		{"wrong kind", "timeout: soon\n", `muster.yaml:1: timeout: "soon" is not a duration`},
		{"negative", "timeout: -1s\n", `muster.yaml:1: timeout: "-1s" is not a duration`},
		{"not a switch", "serve:\n  preserve: maybe\n", `muster.yaml:2: serve.preserve: "maybe" is neither true nor false`},
		{"list for one", "registry: [a, b]\n", "muster.yaml:1: registry must be a single value"},
		{"no value", "registry:\n", "muster.yaml:1: registry has no value"},
		{"one for a mapping", "serve: x\n", "muster.yaml:1: serve must be a mapping"},
		{"not a mapping", "- a\n", "muster.yaml:1: the file must be a mapping"},
		{"alias", "registry: &r x\nserve:\n  listen: *r\n", "muster.yaml:3: serve.listen must be a single value"},
		{"registry without url", "registries:\n  lab:\n    namespace: x\n", "muster.yaml:2: registries.lab has no url"},
		{"registry with more", "registries:\n  lab:\n    url: x\n    ca: y\n", `muster.yaml:4: unknown key "ca" in registries.lab (known: url, namespace, options)`},
		{"name like a URL", "registries:\n  \"muster://x\": y\n", "muster.yaml:2: registry name"},
		{"two documents", "registry: a\n---\nregistry: b\n", "a second document begins here"},
		{"not YAML", "a: b\nc: [\n", "muster.yaml:2: did not find expected node content"},
		{"not YAML in the first line", "registry: ]\n", "muster.yaml:1: did not find expected node content"},
		{"a colon at the end", "timeout: 1s\nserve:\n  listen: memory:\n", `muster.yaml:3: mapping values are not allowed in this context: a value with a colon at its end, or before a blank, needs quotes, as in data: "memory:"`},
		{"a colon in the first line", "registry: local:", `muster.yaml:1: mapping values are not allowed in this context: a value with a colon`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Parse("muster.yaml", []byte(c.text), keys)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file, err := config.Parse("muster.yaml", []byte("\nserve:\n  listen: :3\n  hosts: [a, b]\n"), keys)
	if err != nil {
		t.Fatal(err)
	}
	set := env("MUSTER_LISTEN", ":2")
	for _, c := range []struct {
		flag   bool
		getenv func(string) string
		file   *config.File
		value  string
		from   string
	}{
		{true, set, file, ":1", "flag --listen"},
		{false, set, file, ":2", "environment MUSTER_LISTEN"},
		{false, none, file, ":3", "muster.yaml:3"},
		{false, none, nil, "127.0.0.1:8761", "default"},
	} {
		got, err := config.Resolve(keys[2], ":1", c.flag, c.getenv, c.file)
		if err != nil || got.Value != c.value || got.From != c.from {
			t.Errorf("got %q from %q (%v), want %q from %q", got.Value, got.From, err, c.value, c.from)
		}
	}
	if got, _ := config.Resolve(keys[3], "", false, none, file); got.Value != "a,b" {
		t.Errorf("a list in the file: got %q, want a,b", got.Value)
	}
	if _, err := config.Resolve(keys[1], "", false, env("MUSTER_TIMEOUT", "soon"), nil); err == nil || !strings.Contains(err.Error(), "environment MUSTER_TIMEOUT") {
		t.Errorf("a malformed variable: got %v, want an error that names it", err)
	}
}

func TestRegistryTakesSecretsFromEnvironmentAndFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("p&ss word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `
registries:
  lab: muster://lab:8761
  prod:
    url: musters://${USER}@a:1,b:2/live?x=1
    namespace: live
    options: {token: file:token, ca: "${CA}"}
`
	file, err := config.Parse(filepath.Join(dir, "muster.yaml"), []byte(text), keys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := file.Registries["prod"].Resolve(env("USER", "ann", "CA", "/etc/ca.pem"))
	want := "musters://ann@a:1,b:2/live?x=1&ca=%2Fetc%2Fca.pem&token=p%26ss+word"
	if err != nil || got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if _, err := file.Registries["prod"].Resolve(none); err == nil || !strings.Contains(err.Error(), ":5: registries.prod.url: the environment has no USER") && !strings.Contains(err.Error(), "the environment has no USER") {
		t.Errorf("a variable that is not set: got %v", err)
	}
	if got := file.Names(); strings.Join(got, " ") != "lab prod" {
		t.Errorf("names: got %v", got)
	}
}

func TestFindPrefersTheWorkingDirectory(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	xdg := filepath.Join(home, "muster", "muster.yaml")
	getenv := env("XDG_CONFIG_HOME", home)
	if got := config.Find(getenv); got != "" {
		t.Errorf("without any file: got %q", got)
	}
	os.MkdirAll(filepath.Dir(xdg), 0o700)
	os.WriteFile(xdg, nil, 0o600)
	if got := config.Find(getenv); got != xdg {
		t.Errorf("got %q, want %q", got, xdg)
	}
	os.WriteFile("muster.yaml", nil, 0o600)
	if got := config.Find(getenv); got != "muster.yaml" {
		t.Errorf("got %q, want muster.yaml", got)
	}
	if _, err := config.Read("absent.yaml", keys); err == nil || !strings.Contains(err.Error(), "absent.yaml: there is no such file") {
		t.Errorf("an absent file: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("registry: lab\nregistries:\n  lab: {url: 'muster://h', options: {a: b}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		file, err := config.Parse("muster.yaml", text, keys)
		if (file == nil) == (err == nil) {
			t.Errorf("got %v and %v", file, err)
		}
	})
}
