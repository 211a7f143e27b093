package muster_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/muster-go/muster"

// room says what one package may import besides the standard library. A package without a room fails TestPackagesImportOnlyWhatTheirRoomAllows:
// whoever adds one writes down what it needs to know, and why.
type room struct {
	at   string            // below the module; "" is the root; "x/..." is x and all below it
	is   string            // what it is, and so what it must not know; part of every refusal
	may  map[string]string // import path, as of at or of another module → why; "x/..." is x and all below it
	not  []string          // packages that must not even be reached through others
	free bool              // may import everything
}

// rooms is the allow-list, from the root outwards.
func rooms() []room {
	const words = "the words: what an instance is, what a driver promises, how an error reads"
	return []room{
		{
			at: "", is: "the root is the vocabulary: the standard library without any protocol's, and its own pure parts",
			may: map[string]string{
				"golang.org/x/sync/...": "what the standard library lacks for waiting on goroutines and for sharing one call",
				"internal/balance":      "pools and pickers",
				"internal/guard":        "budgets and limits",
				"internal/slots":        "who is inside a Gate, and who waits",
			},
			not: []string{"net/http", "encoding/xml", "html/template", "text/template"},
		},
		{
			at: "internal/balance", is: "pure arithmetic over targets: a simulation drives it without the root",
			may: map[string]string{"internal/guard": "each target watches its own outcomes for outliers"},
		},
		{
			at: "internal/slots", is: "who may be inside, whatever is served: it knows no words and no protocol",
			may: map[string]string{"internal/guard": "limits that find themselves, queues that turn around"},
		},
		{at: "internal/guard", is: "pure arithmetic over outcomes: a simulation drives it without the root"},

		{
			at: "internal/sim", is: "calls that are only simulated: it drives the pure parts under a clock of its own, without the root",
			may: map[string]string{"internal/balance": "the pickers that are tried", "internal/guard": "budgets of its clients, meters of its servers"},
		},

		{at: "internal/eurekawire", is: "bytes to Eureka's own words and back; both halves translate those to the root's by themselves"},
		{at: "internal/nativewire", is: "bytes to the root's words and back, for both halves", may: map[string]string{"": words}},

		{
			at: "internal/debugwire", is: "bytes of live debugging to the root's words and back, and where its sockets are, for both halves",
			may: map[string]string{"": words, "internal/nativewire": "durations as the native API writes them"},
		},

		{at: "internal/release", is: "which version a program is, and which go together: numbers alone"},

		{
			at: "internal/limits", is: "who pays for what and how much there may be of it; it knows neither the words nor a protocol",
			may: map[string]string{"internal/guard": "rates"},
		},

		{at: "internal/intake", is: "bytes of requests, whichever face they are for"},

		{
			at: "internal/probe", is: "asks programs whether they are well; a prober is handed the store that it judges for",
			may: map[string]string{"": words, "internal/store": "what is probed, and where findings go", "internal/guard": "how often, in all and by address"},
		},

		{
			at: "internal/access", is: "who may do what: the one place that decides it, for every face; it serves nothing",
			may: map[string]string{"": words, "internal/store": "what a token is, and where they are kept"},
		},

		{at: "internal/store", is: "what muster serve keeps; faces and journals are handed to it", may: map[string]string{"": words}},
		{
			at: "internal/store/bolt", is: "one journal of the store",
			may: map[string]string{"": words, "internal/store": "the journal's contract", "go.etcd.io/bbolt/...": "the file"},
		},
		{
			at: "internal/api", is: "the native face on a store that is handed in",
			may: map[string]string{
				"":                                     words,
				"internal/store":                       "what it serves",
				"internal/access":                      "who may do what",
				"internal/intake":                      "bodies, bounded",
				"internal/nativewire":                  "heartbeats and the watch stream, as registry/remote reads them",
				"github.com/danielgtaylor/huma/v2/...": "OpenAPI 3.1 from Go types",
			},
		},
		{
			at: "internal/eurekaserver", is: "Eureka's face on a store that is handed in",
			may: map[string]string{
				"": words, "internal/store": "what it serves", "internal/access": "who may do what",
				"internal/eurekawire": "Eureka's two codecs", "internal/intake": "bodies, bounded",
			},
		},

		{
			at: "internal/server", is: "muster serve in one piece: it puts a store, a journal and the faces together, and knows no driver",
			may: map[string]string{
				"":                      words,
				"internal/store":        "what is served",
				"internal/access":       "the door before every face",
				"internal/store/bolt":   "the data directory",
				"internal/probe":        "what asks instances whether they are well",
				"internal/nativewire":   "the shape in which the native face says what the prober does",
				"internal/api":          "one face",
				"internal/eurekaserver": "one face",
				"internal/limits":       "who pays for a request, and which are too many",
				"github.com/prometheus/client_golang/...": "/metrics",
			},
		},
		{
			at: "internal/load", is: "many clients of muster serve in one process: it speaks on bare connections, so that it costs less than what it measures",
			may: map[string]string{"": words, "internal/nativewire": "registrations, heartbeats and problems", "internal/store": "the bounds of what can be asked for"},
		},
		{
			at: "internal/config", is: "muster.yaml and where each value came from; what the values mean is the binary's",
			may: map[string]string{"go.yaml.in/yaml/v3": "the file's format"},
		},

		{
			at: "registry/local", is: "a driver: the root and its back end, never another driver nor an rpc package",
			may: map[string]string{"": words, "internal/store": "its back end is the store itself, in this process"},
		},
		{
			at: "registry/remote", is: "a driver: the root and its back end's wire, never another driver nor an rpc package",
			may: map[string]string{"": words, "internal/nativewire": "its back end's wire", "internal/release": "which servers it is too far from"},
		},
		{
			at: "registry/open", is: "the one switch from URL to driver: it knows every driver and no rpc package",
			may: map[string]string{"": words, "registry/local": "local:", "registry/remote": "muster://"},
		},
		{
			at: "registry/registrytest", is: "the drivers' contract as tests: it knows no driver but its own two",
			may: map[string]string{"": words, "golang.org/x/sync/...": "many callers at once, joined"},
		},

		{at: "rpc/httprpc", is: "one protocol: it is handed a Client or a Registry, and knows no driver and no other protocol", may: map[string]string{"": words}},

		{
			at: "observe/debug", is: "shows the clients that it is handed, and knows no registry and no protocol of calls",
			may: map[string]string{"": words, "internal/debugwire": "its shapes and its socket's place", "internal/nativewire": "problems, as the native API writes them"},
		},

		{
			at: "examples/social/...", is: "a user's program: it sees what a user sees",
			may: map[string]string{
				"": words, "rpc/httprpc": "its transport", "registry/open": "its registry is a URL", "observe/debug": "it lets muster explain look inside",
				"examples/social/...": "its own parts",
			},
		},

		{
			at: "examples/hello/...", is: "the first program of a newcomer: it sees what a user sees",
			may: map[string]string{
				"": words, "rpc/httprpc": "its transport", "registry/open": "its registry is a URL", "observe/debug": "one of them lets muster explain look inside",
			},
		},

		{
			at: "internal/demo", is: "a user's program that runs the binary and the sample, and measures: it sees what a user sees",
			may: map[string]string{
				"": words, "rpc/httprpc": "it calls the sample's API", "registry/open": "its registry is a URL",
				"examples/social": "the roles it starts, and the store it serves them",
			},
		},

		{at: "cmd/muster/...", is: "the binary wires everything", free: true},

		{at: "test/peer", is: "starts real programs, and knows them as a user does"},
		{at: "test/pki", is: "makes certificates, for whoever shows them"},
		{at: "test/fault", is: "breaks connections, whatever they carry", may: map[string]string{"test/peer": "reserved ports"}},
		{at: "test/attacks", is: "holds tests alone, which attack the binary as an outsider would", may: map[string]string{"test/peer": "the binary, free ports"}},
		{at: "test/faults", is: "holds tests alone, which import what they break"},
		{at: "test/golden", is: "compares lists, whatever they promise"},
		{at: "test/promises", is: "holds tests alone, which look at what the compiler exports"},
		{at: "test/choosing", is: "holds tests alone, which import what they call through"},
		{at: "test/demo", is: "runs the demo as a visitor would", may: map[string]string{"test/peer": "the binary, Python"}},
		{at: "test/deploy", is: "holds tests alone, which run the binary as deploy/ does"},
		{at: "test/docs", is: "runs what the documents show, as a reader would", may: map[string]string{"test/peer": "the binary, free ports", "golang.org/x/sys/unix": "a network of its own for each page"}},
	}
}

func TestPackagesImportOnlyWhatTheirRoomAllows(t *testing.T) {
	for _, p := range loadPackages(t) {
		r, ok := roomOf(p.at)
		if !ok {
			t.Errorf("%s has no room: the allow-list is in deps_test.go; add what it is and what it may import, with the reasons", p)
			continue
		}
		for _, imported := range p.imports {
			if !r.allows(imported) {
				t.Errorf("%s imports %s: not allowed (%s); the allow-list is in deps_test.go", p, imported, r.is)
			}
		}
		for _, banned := range r.not {
			if slices.Contains(p.deps, banned) && !slices.Contains(p.imports, banned) {
				t.Errorf("%s reaches %s through another package: not allowed (%s); the allow-list is in deps_test.go", p, banned, r.is)
			}
		}
	}
}

func TestEveryRoomGivesItsReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rooms() {
		if r.is == "" {
			t.Errorf("room %q does not say what it is", r.at)
		}
		if seen[r.at] {
			t.Errorf("room %q is listed twice", r.at)
		}
		seen[r.at] = true
		for _, imported := range slices.Sorted(maps.Keys(r.may)) {
			if r.may[imported] == "" {
				t.Errorf("room %q does not say why it may import %q", r.at, imported)
			}
		}
	}
}

// TestRefusalsRefuse keeps the list itself honest: these imports must never become possible.
func TestRefusalsRefuse(t *testing.T) {
	for _, c := range []struct{ at, imported string }{
		{"", "net/http"},
		{"", module + "/registry/local"},
		{"internal/balance", module},
		{"internal/guard", module},
		{"internal/eurekawire", module},
		{"internal/store", "go.etcd.io/bbolt"},
		{"internal/api", module + "/registry/local"},
		{"registry/remote", module + "/registry/local"},
		{"registry/remote", module + "/rpc/httprpc"},
		{"registry/local", module + "/internal/nativewire"},
		{"rpc/httprpc", module + "/registry/open"},
		{"examples/social", module + "/internal/store"},
		{"test/fault", module + "/registry/remote"},
	} {
		if r, ok := roomOf(c.at); !ok || r.allows(c.imported) {
			t.Errorf("%q may import %s", c.at, c.imported)
		}
	}
	if _, ok := roomOf("internal/unheard"); ok {
		t.Error("a package that nobody listed has a room")
	}
}

// roomOf returns the room of a package.
func roomOf(at string) (room, bool) {
	for _, r := range rooms() {
		if covers(r.at, at) {
			return r, true
		}
	}
	return room{}, false
}

// allows reports whether the room may import a package.
func (r room) allows(imported string) bool {
	if slices.Contains(r.not, imported) || imported == "C" {
		return false
	}
	own, isOwn := below(imported)
	if r.free || !isOwn && isStandard(imported) {
		return true
	}
	for pattern := range r.may {
		if isOwn && covers(pattern, own) || !isOwn && covers(pattern, imported) {
			return true
		}
	}
	return false
}

// covers reports whether a pattern of the list means a path.
func covers(pattern, at string) bool {
	if all, found := strings.CutSuffix(pattern, "/..."); found {
		return at == all || strings.HasPrefix(at, all+"/")
	}
	return at == pattern
}

// below returns a package's path below this module.
func below(imported string) (string, bool) {
	if imported == module {
		return "", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// isStandard reports whether a package is the standard library's: the first element of every other path is a host's name.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(path.Clean(imported), "/")
	return !strings.Contains(first, ".")
}
