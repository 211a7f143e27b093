package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster/examples/social"
)

// fleet is the processes of the demo, and the one directory that they write to.
type fleet struct {
	program string // muster
	dir     string
	env     []string
	addr    string // of the registry, host:port; it stays the same over restarts
	shelf   *shelf
	web     http.Client

	mu        sync.Mutex // guards what follows
	registry  *process
	instances []*instance // in the order in which they were started, killed ones too
	past      []*process  // registries that were killed
}

// instance is one process of a service.
type instance struct {
	*process
	role    string
	id      string // host:port, as it is registered
	started time.Time
	log     requests
	serving chan struct{} // closed when it takes requests; id is set then
	killed  bool          // on purpose; guarded by fleet.mu
}

// TTL is the lease of the demo's services: short, so that a kill is seen soon; long enough for a machine that is busy with
// other things.
const TTL = 3 * time.Second

const (
	lowestPort = 20000 // the registry's port is chosen here and above,
	ports      = 10000 // below what systems hand out by themselves: nobody takes it while the registry is down
)

// newFleet makes the directory and serves the store. No process runs yet.
func newFleet(program string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return nil, err
	}
	f := &fleet{program: program, dir: dir, env: environment(dir)}
	f.web.Transport = &http.Transport{DisableKeepAlives: true}
	if f.shelf, err = newShelf(); err == nil {
		f.addr, err = freeAddr()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// freeAddr returns an address of this machine that nobody listens on.
func freeAddr() (string, error) {
	var err error
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(ports)))
		var ln net.Listener
		if ln, err = net.Listen("tcp", addr); err == nil {
			return addr, ln.Close()
		}
	}
	return "", fmt.Errorf("no free port between %d and %d on 127.0.0.1: %w", lowestPort, lowestPort+ports, err)
}

// registryURL is the registry for muster's own clients, webURL for everybody else.
func (f *fleet) registryURL() string { return "muster://" + f.addr }
func (f *fleet) webURL() string      { return "http://" + f.addr }

// serveArgs is the command line of the registry.
func (f *fleet) serveArgs() []string {
	return []string{"serve", "--listen", f.addr, "--data", filepath.Join(f.dir, "data")}
}

// instanceArgs is the command line of an instance.
func (f *fleet) instanceArgs(role string) []string {
	return []string{"demo", "service", role, "--registry", f.registryURL(), "--store", f.shelf.url()}
}

// command prepares muster with arguments.
func (f *fleet) command(args []string) *exec.Cmd {
	cmd := exec.Command(f.program, args...)
	cmd.Dir, cmd.Env = f.dir, f.env
	return cmd
}

// serve starts the registry, and returns when it answers.
func (f *fleet) serve(ctx context.Context) error {
	ready := make(chan struct{})
	once := sync.OnceFunc(func() { close(ready) })
	p, err := startProcess("muster serve", f.command(f.serveArgs()), func(line string) {
		if strings.Contains(line, " serves muster://") {
			once()
		}
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	if f.registry != nil {
		f.past = append(f.past, f.registry)
	}
	f.registry = p
	f.mu.Unlock()
	return p.await(ctx, ready)
}

// start starts an instance of a role, and returns when it is registered and takes requests.
func (f *fleet) start(ctx context.Context, role string) (*instance, error) {
	in := &instance{role: role, started: time.Now(), serving: make(chan struct{})}
	p, err := startProcess("the service "+role, f.command(f.instanceArgs(role)), func(line string) {
		if addr, ok := strings.CutPrefix(line, "serving "); ok && in.id == "" {
			in.id = addr
			close(in.serving)
			return
		}
		in.log.hear(line)
	})
	if err != nil {
		return nil, err
	}
	in.process = p
	if err := p.await(ctx, in.serving); err != nil {
		p.kill()
		return nil, err
	}
	f.mu.Lock()
	f.instances = append(f.instances, in)
	f.mu.Unlock()
	return in, nil
}

// fill starts instances until there are two of each role.
func (f *fleet) fill(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make(chan error, 2*len(social.Roles()))
	for _, role := range social.Roles() {
		for range 2 - min(2, len(f.alive(role))) {
			all.Go(func() {
				if _, err := f.start(ctx, role); err != nil {
					failed <- err
				}
			})
		}
	}
	all.Wait()
	close(failed)
	return <-failed
}

// alive returns the running instances of a role, the longest running first.
func (f *fleet) alive(role string) []*instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*instance
	for _, in := range f.instances {
		if in.role == role && !in.killed {
			out = append(out, in)
		}
	}
	return out
}

// find returns the instance with an id, or nil; a port may have had several owners: the last counts.
func (f *fleet) find(role, id string) (in *instance, killed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range slices.Backward(f.instances) {
		if in.role == role && in.id == id {
			return in, in.killed
		}
	}
	return nil, false
}

// kill is kill -9 of an instance's process, or of the registry.
func (f *fleet) kill(p *process) {
	f.mu.Lock()
	for _, in := range f.instances {
		in.killed = in.killed || in.process == p
	}
	f.mu.Unlock()
	p.kill()
}

// forget drops what was killed and is gone, so that a demo that runs for days stays small.
func (f *fleet) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = slices.DeleteFunc(f.instances, func(in *instance) bool { return in.killed && !in.left() })
	f.past = slices.DeleteFunc(f.past, func(p *process) bool { return !p.left() })
}

// serving is the registry's process.
func (f *fleet) serving() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.registry
}

// watched reports whether as many watch the registry as there are processes that should: the instances, and this program.
func (f *fleet) watched(ctx context.Context) bool {
	want := 1
	for _, role := range roles() {
		want += len(f.alive(role))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var said struct{ Watchers int }
	return f.ask(ctx, "/api/v1/status", &said) == nil && said.Watchers >= want
}

// ask reads a page of the registry's API.
func (f *fleet) ask(ctx context.Context, path string, said any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.webURL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := f.web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(said)
}

// words are the last words of every process that ran, for those who wonder why a claim did not hold.
func (f *fleet) words() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, in := range f.instances {
		out = append(out, in.role+" "+in.id+": "+in.last.text())
	}
	return out
}

// check says which process ended that nobody killed.
func (f *fleet) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.registry != nil && !f.registry.running() {
		return f.registry.failure()
	}
	for _, in := range f.instances {
		if !in.killed && !in.running() {
			return in.failure()
		}
	}
	return nil
}

// stop ends every process: the services first, then the registry. It is idempotent.
//
// Errors: those that did not end in order.
func (f *fleet) stop() error {
	f.mu.Lock()
	instances, registry := slices.Clone(f.instances), f.registry
	f.mu.Unlock()
	errs := make([]error, len(instances)+1)
	var all sync.WaitGroup
	for i, in := range instances {
		all.Go(func() { errs[i] = in.stop() })
	}
	all.Wait()
	if registry != nil {
		errs[len(instances)] = registry.stop()
	}
	return errors.Join(errs...)
}

// close frees the store and the directory.
func (f *fleet) close() error {
	var err error
	if f.shelf != nil {
		err = f.shelf.close()
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

// left counts what is still there after stop and close: processes, files.
func (f *fleet) left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, in := range f.instances {
		if in.left() {
			n++
		}
	}
	for _, p := range append(f.past, f.registry) {
		if p != nil && p.left() {
			n++
		}
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, fs.ErrNotExist) {
		n++
	}
	return n
}
