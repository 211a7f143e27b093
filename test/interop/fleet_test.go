package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/test/peer"
)

// The lives of leases here, as short as Eureka's whole seconds allow.
const (
	poll      = time.Second     // python-eureka-client's renewal_interval_in_secs, Spring's two intervals: beat and pull
	duration  = 3 * time.Second // its duration_in_secs, Spring's leaseExpirationDurationInSeconds
	pythonTTL = duration + poll // muster serve adds one interval of grace
	springTTL = pythonTTL
	goTTL     = 3 * time.Second
	slack     = 3 * time.Second // for processes that a busy machine lets wait
)

// fleet is one muster serve and the services that are registered there.
type fleet struct {
	t        *testing.T
	server   *peer.Server
	token    string           // what the test itself shows; "" where nobody needs one
	registry *muster.Registry // the test's own view
	programs []*program
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, server: peer.Muster(t)}
	driver, err := open.Open("muster://"+f.server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.registry = muster.New(driver, nil)
	t.Cleanup(func() {
		if err := f.registry.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// config is what a service is started with.
type config struct {
	Me    string   `json:"me"` // its instance ID
	Log   string   `json:"log"`
	Port  int      `json:"port"`
	Calls []string `json:"calls"` // services it calls in turn
	Every float64  `json:"every"` // seconds between two calls

	Init map[string]any `json:"init,omitempty"` // Python: what eureka_client.init gets besides the address. Spring: properties

	Registry string            `json:"registry,omitempty"` // Go
	Service  string            `json:"service,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// command is a line on a program's standard input.
type command struct {
	Number int    `json:"number"`
	Do     string `json:"do"`
	Value  string `json:"value,omitempty"`
}

// program is one running service.
type program struct {
	*peer.Process
	t       *testing.T
	config  config
	service string   // in capitals
	stdin   *os.File // commands go there
	told    int      // commands so far
}

// python starts service.py as an instance of service. Init may replace what it gets by default.
func (f *fleet) python(service string, c config) *program {
	f.t.Helper()
	c.Port = peer.FreePort(f.t)
	c.Me = fmt.Sprintf("127.0.0.1:%s:%d", strings.ToLower(service), c.Port) // as the package makes it
	arguments := map[string]any{
		"eureka_server": f.server.URL + "/eureka", "app_name": service,
		"renewal_interval_in_secs": int(poll / time.Second), "duration_in_secs": int(duration / time.Second),
	}
	maps.Copy(arguments, c.Init)
	c.Init = arguments
	root, err := peer.Root()
	if err != nil {
		f.t.Fatal(err)
	}
	return f.start(service, c, peer.Command{
		Path: peer.Installed(f.t, "eureka"), Args: []string{filepath.Join(root, "test", "interop", "python", "service.py")},
	})
}

// spring starts Service.java as an instance of service, its client as it comes but for the intervals. Init may replace properties; nil
// takes one away.
func (f *fleet) spring(service string, c config) *program {
	f.t.Helper()
	c.Port = peer.FreePort(f.t)
	c.Me = fmt.Sprintf("127.0.0.1:%s:%d", strings.ToLower(service), c.Port) // as Spring makes it, but of the machine's name
	properties := map[string]any{
		"spring.application.name": strings.ToLower(service), "server.address": "127.0.0.1", "server.port": c.Port,
		"eureka.instance.preferIpAddress": true, "eureka.instance.ipAddress": "127.0.0.1", "eureka.instance.instanceId": c.Me,
		"eureka.client.serviceUrl.defaultZone":             f.server.URL + "/eureka",
		"eureka.client.registryFetchIntervalSeconds":       int(poll / time.Second),
		"eureka.instance.leaseRenewalIntervalInSeconds":    int(poll / time.Second),
		"eureka.instance.leaseExpirationDurationInSeconds": int(duration / time.Second),
		"logging.level.com.netflix.discovery":              "DEBUG", // where it says what it makes of a delta
		"logging.level.org.springframework.cloud.netflix":  "DEBUG",
	}
	maps.Copy(properties, c.Init)
	maps.DeleteFunc(properties, func(_ string, value any) bool { return value == nil })
	c.Init = properties
	return f.start(service, c, peer.Command{Path: peer.Installed(f.t, "spring"), Limit: time.Minute})
}

// golang starts this test binary as an instance of service.
func (f *fleet) golang(service string, c config) *program {
	f.t.Helper()
	c.Port = peer.FreePort(f.t)
	c.Me, c.Service, c.Registry = peer.Loopback(c.Port), service, "muster://"+f.server.Addr
	return f.start(service, c, peer.Command{Path: os.Args[0], Env: []string{asService + "=1"}})
}

func (f *fleet) start(service string, c config, cmd peer.Command) *program {
	f.t.Helper()
	c.Log = filepath.Join(f.t.TempDir(), "log.jsonl")
	if c.Calls == nil {
		c.Calls = []string{}
	}
	text, err := json.Marshal(c)
	if err != nil {
		f.t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { out.Close() })
	defer in.Close()
	cmd.Name, cmd.Args, cmd.Stdin = service+" "+c.Me, append(cmd.Args, string(text)), in
	cmd.Ready = func(context.Context, string) error {
		if len(of("ready", readBook(f.t, c.Log))) == 0 {
			return fmt.Errorf("no ready line in its log")
		}
		return nil
	}
	p := &program{Process: peer.Start(f.t, cmd), t: f.t, config: c, service: service, stdin: out}
	f.programs = append(f.programs, p)
	return p
}

// book returns the program's log so far.
func (p *program) book() []entry { return readBook(p.t, p.config.Log) }

// newest returns what the program saw last.
func (p *program) newest() view {
	views := of("view", p.book())
	if len(views) == 0 {
		return nil
	}
	return views[len(views)-1].View
}

// tell makes the program do something and waits until it has.
func (p *program) tell(do, value string) {
	p.t.Helper()
	p.told++
	line, err := json.Marshal(command{Number: p.told, Do: do, Value: value})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		p.t.Fatalf("tell %s to %s: %v", p.service, do, err)
	}
	var did entry
	peer.Await(p.t, 30*time.Second, p.service+" to "+do, func() bool {
		for _, e := range of("did", p.book()) {
			if e.Number == p.told {
				did = e
				return true
			}
		}
		return false
	})
	if did.Error != "" {
		p.t.Fatalf("%s %s: %s", p.service, do, did.Error)
	}
}

// call lets every program begin to call, once everybody sees everybody up.
func (f *fleet) call() {
	f.t.Helper()
	for _, p := range f.programs {
		f.awaitEverywhere(20*time.Second, "up", p, up)
	}
	for p := range f.callers() {
		p.tell("call", "")
	}
}

// quiet ends the calls.
func (f *fleet) quiet() {
	f.t.Helper()
	for p := range f.callers() {
		p.tell("quiet", "")
	}
}

// running yields the programs that have not ended.
func (f *fleet) running() iter.Seq[*program] {
	return func(yield func(*program) bool) {
		for _, p := range f.programs {
			select {
			case <-p.Ended():
			default:
				if !yield(p) {
					return
				}
			}
		}
	}
}

// callers yields those of them that call somebody.
func (f *fleet) callers() iter.Seq[*program] {
	return func(yield func(*program) bool) {
		for p := range f.running() {
			if len(p.config.Calls) > 0 && !yield(p) {
				return
			}
		}
	}
}

// awaitEverywhere waits until every running program, and the test itself, sees an instance as ok wants it.
func (f *fleet) awaitEverywhere(within time.Duration, what string, target *program, ok func(s seen, listed bool) bool) {
	f.t.Helper()
	agreed := func(v view) bool {
		s, listed := v[target.service][target.config.Me]
		return v != nil && ok(s, listed)
	}
	peer.Await(f.t, within, fmt.Sprintf("every view to have %s %s", target.config.Me, what), func() bool {
		for p := range f.running() {
			if !agreed(p.newest()) {
				return false
			}
		}
		return agreed(viewOf(f.registry.View().Table))
	})
}

func up(s seen, _ bool) bool           { return s.Status == "UP" }
func outOfService(s seen, _ bool) bool { return s.Status == "OUT_OF_SERVICE" }
func gone(_ seen, listed bool) bool    { return !listed }

// muster runs the binary as an operator would.
func (f *fleet) muster(args ...string) {
	f.t.Helper()
	cmd := exec.Command(f.server.Binary, append(args, "--registry", "muster://"+f.server.Addr)...)
	if f.token != "" {
		cmd.Env = append(os.Environ(), "MUSTER_TOKEN="+f.token)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("muster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// pass lets time pass: d is part of the claim.
func pass(d time.Duration) { <-time.After(d) }
