package main

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-go/muster/internal/config"
)

// settingKeys lists everything that can be set, in the order in which `muster config` shows it. A key without a dot is a
// flag of every command; one with a dot is a flag of the command before the dot.
func settingKeys(getenv func(string) string) []config.Key {
	return []config.Key{
		{Name: "registry", Env: "MUSTER_REGISTRY", Default: "muster://127.0.0.1:8761", About: "registry to talk to: a URL, or a name from muster.yaml"},
		{Name: "namespace", Env: "MUSTER_NAMESPACE", About: "namespace; by default the one in the registry's URL, else default"},
		{Name: "output", Env: "MUSTER_OUTPUT", Default: asTable, About: "how to print: " + strings.Join(formats(), ", ")},
		{Name: "timeout", Env: "MUSTER_TIMEOUT", Default: "5s", Kind: config.Duration, About: "how long to wait for the registry"},
		{Name: "by", Env: "MUSTER_BY", Default: whoami(getenv), About: "who acts, for the audit; the registry cannot prove it"},
		{Name: "zone", Env: "MUSTER_ZONE", About: "this machine's zone: what is registered here gets it, calls prefer it"},
		{Name: tokenKey, Env: "MUSTER_TOKEN", About: "token to show to the registry, for a URL that brings none; there is no flag: other users see command lines"},
		{Name: "serve.listen", Env: "MUSTER_LISTEN", Default: "127.0.0.1:8761", About: "host:port to listen on; port 0 takes a free one"},
		{Name: "serve.data", Env: "MUSTER_DATA", Default: dataDir(getenv), About: "directory for intents, audit and instances; memory: keeps nothing"},
		{Name: "serve.recover", Env: "MUSTER_RECOVER", Default: "false", Kind: config.Switch, About: "when the data are damaged, move them aside and start with what can still be read"},
		{Name: "serve.tls-cert", Env: "MUSTER_TLS_CERT", About: "certificate in PEM, the chain behind it: TLS alone is spoken then; read again when it changes"},
		{Name: "serve.tls-key", Env: "MUSTER_TLS_KEY", About: "the certificate's key in PEM"},
		{Name: "serve.client-ca", Env: "MUSTER_CLIENT_CA", About: "authorities in PEM whose client certificates may have rights (muster token create --certificate)"},
		{Name: "serve.anonymous", Env: "MUSTER_ANONYMOUS", About: "what those may who show no token: none, read or all; by default all on a loopback address, else none"},
		{Name: "serve.hosts", Env: "MUSTER_HOSTS", Kind: config.List, About: "names under which browsers may reach this server, besides localhost and IP addresses; comma-separated"},
		{Name: "serve.preserve", Env: "MUSTER_PRESERVE", Default: "true", Kind: config.Switch, About: "self-preservation: when too many instances fall silent at once, expire none"},
		{Name: "serve.probe", Env: "MUSTER_PROBE", Kind: config.List, About: "ask instances whether they are well: [NAMESPACE:]SERVICE=tcp, =http:/path or =grpc, * in names; may be repeated"},
		{Name: "serve.probe-interval", Env: "MUSTER_PROBE_INTERVAL", Default: "10s", Kind: config.Duration, About: "between two probes of an instance"},
		{Name: "serve.probe-allow", Env: "MUSTER_PROBE_ALLOW", Kind: config.List, About: "networks to probe in although they are loopback, link-local or metadata addresses, as in 127.0.0.0/8"},
		{Name: "serve.limits", Env: "MUSTER_LIMITS", About: "limits that differ from the usual: instances, metadata, namespaces, watchers and requests of each client, total, connections; such as watchers=500,total=2GiB,requests=none; none lifts all"},
		{Name: "register.address", Env: "MUSTER_ADDRESS", Default: getenv("POD_IP"), About: "host of URLs that name none; by default POD_IP, else this machine's address on the route to the registry"},
		{Name: "register.ttl", Env: "MUSTER_TTL", Default: "30s", Kind: config.Duration, About: "how long the instance stays listed without a heartbeat"},
	}
}

// tokenKey is the setting with the token, a secret: it has no flag and is never printed.
const tokenKey = "token"

// settings are the values of one run.
type settings struct {
	file   *config.File // nil: none was read
	values map[string]config.Value
}

// resolve reads muster.yaml and gives every key its value; cmd's flags count.
func (c *cli) resolve(cmd *cobra.Command) error {
	path := c.configPath
	if path == "" {
		path = c.getenv("MUSTER_CONFIG")
	}
	if path == "" {
		path = config.Find(c.getenv)
	}
	c.set.values = make(map[string]config.Value, len(c.keys))
	if path != "" {
		file, err := config.Read(path, c.keys)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		c.set.file = file
	}
	for _, key := range c.keys {
		flag := flagOf(cmd, key)
		text, set := "", false
		if flag != nil {
			text, set = flag.Value.String(), flag.Changed
		}
		v, err := config.Resolve(key, text, set, c.getenv, c.set.file)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		c.set.values[key.Name] = v
	}
	return checkFormat(c.text("output"))
}

// flagOf returns the flag of cmd that sets key, or nil.
func flagOf(cmd *cobra.Command, key config.Key) *pflag.Flag {
	if group, _, ok := strings.Cut(key.Name, "."); ok && group != cmd.Name() {
		return nil
	}
	return cmd.Flag(key.Flag())
}

// addFlags gives a command the flags of the keys of its group, or of those without one.
func (c *cli) addFlags(fs *pflag.FlagSet, group string) {
	for _, key := range c.keys {
		g, _, dotted := strings.Cut(key.Name, ".")
		if !dotted && group != "" || dotted && g != group || key.Name == "zone" || key.Name == tokenKey {
			continue
		}
		short := map[string]string{"namespace": "n", "output": "o"}[key.Name]
		about := key.About + " (" + key.Env + ")"
		if key.Kind == config.Switch {
			fs.Bool(key.Flag(), key.Default == "true", about)
			continue
		}
		if key.Kind == config.List {
			fs.Var(new(listFlag), key.Flag(), about)
			continue
		}
		fs.StringP(key.Flag(), short, key.Default, about)
	}
}

// listFlag is a flag that may be given several times: each time adds to the list.
type listFlag struct{ text string }

// Set adds to the list, which commas separate.
func (l *listFlag) Set(s string) error {
	if l.text != "" {
		s = l.text + "," + s
	}
	l.text = s
	return nil
}

// String and Type are pflag.Value's.

func (l *listFlag) String() string { return l.text }
func (l *listFlag) Type() string   { return "list" }

// text, duration, flag and list give a setting's value. Resolve has checked that it is of that kind.

func (c *cli) text(name string) string { return c.set.values[name].Value }

func (c *cli) duration(name string) time.Duration {
	d, _ := time.ParseDuration(c.text(name))
	return d
}

func (c *cli) flag(name string) bool {
	b, _ := strconv.ParseBool(c.text(name))
	return b
}

func (c *cli) list(name string) []string {
	return strings.FieldsFunc(c.text(name), func(r rune) bool { return r == ',' || r == ' ' })
}

// whoami is user@host.
func whoami(getenv func(string) string) string {
	name := getenv("USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

func dataDir(getenv func(string) string) string {
	if dir := config.StateDir(getenv); dir != "" {
		return filepath.Join(dir, "data")
	}
	return memoryData
}
