package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// fleet is the instances that are registered, spread over clients as over the processes of many machines: each client has some
// hundred of them, a connection, and one heartbeat for all, or one for each, in an interval.
//
// Nothing of an instance is kept here but what a heartbeat needs: the rest follows from its number.
type fleet struct {
	target    *Target
	namespace string
	protocol  protocol
	instances int
	services  int
	ttl       time.Duration
	run       string // random: part of every owner's name
	clients   []*member
}

// member is one client and its instances, which are those from first on.
type member struct {
	client
	first, n   int
	registered int // of them; guarded by client.mu
	beat       beatState
}

// protocol is how a fleet speaks. The methods that append write one request.
type protocol interface {
	// register appends the registration of instance i, whose metadata say that it is the mark-th change.
	register(b []byte, f *fleet, i, mark int) []byte
	// registered takes the answer in. The member is locked.
	registered(m *member, i int, body []byte) error
	// beats is how many requests a member's heartbeats are, of all its instances.
	beats(m *member) int
	// beat sends the n-th of them, of what is registered, and returns how many instances it was for and which of them had lapsed.
	beat(ctx context.Context, f *fleet, m *member, n int) (ops int, lapsed []int, err error)
	// deregister appends the end of instance i.
	deregister(b []byte, f *fleet, i int) []byte
	// read appends the question for a whole list, or a service's when service is not "".
	read(b []byte, f *fleet, service string) []byte
}

func newFleet(opt *Options, namespace string) *fleet {
	f := &fleet{
		target: &opt.Target, namespace: namespace, protocol: opt.Protocol.speak(), instances: opt.Instances, services: opt.Services,
		ttl: opt.TTL, run: fmt.Sprintf("%010x", rand.Uint64()>>24),
	}
	f.clients = make([]*member, opt.Connections)
	for c := range f.clients {
		first, end := c*f.instances/opt.Connections, (c+1)*f.instances/opt.Connections
		f.clients[c] = &member{client: client{target: f.target}, first: first, n: end - first}
	}
	return f
}

// member is the client that has instance i.
func (f *fleet) member(i int) *member {
	c := i * len(f.clients) / f.instances // off by one at most
	for c > 0 && f.clients[c].first > i {
		c--
	}
	for c+1 < len(f.clients) && f.clients[c+1].first <= i {
		c++
	}
	return f.clients[c]
}

// service and id name instance i; host is where it claims to be.
func (f *fleet) service(i int) string { return "bench-" + strconv.Itoa(i*f.services/f.instances) }
func (f *fleet) host(i int) string    { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }
func (f *fleet) id(i int) string      { return f.host(i) + ":8080" }
func (f *fleet) owner(i int) string   { return fmt.Sprintf("%s%016x", f.run, i) }

// markLabel is the metadata that says which change made an instance what it is; 0 is none.
const markLabel = "change"

// markText is how a mark is written: as long as every other.
func markText(mark int) string { return fmt.Sprintf("%08d", mark) }

// instance is instance i after the mark-th change.
func (f *fleet) instance(i, mark int) *muster.Instance {
	return &muster.Instance{
		Namespace: f.namespace, Service: f.service(i), ID: f.id(i), Owner: f.owner(i), Status: muster.Up, Zone: "eu-west-1a", Version: "2.4.1",
		Endpoints: []muster.Endpoint{{Scheme: "http", Address: f.id(i)}},
		Metadata:  map[string]string{"team": "muster bench", markLabel: markText(mark)},
	}
}

// put registers instance i, or changes it.
func (f *fleet) put(ctx context.Context, i, mark int) (bytes int64, err error) {
	m := f.member(i)
	m.mu.Lock()
	defer m.mu.Unlock()
	return f.putLocked(ctx, m, i, mark)
}

func (f *fleet) putLocked(ctx context.Context, m *member, i, mark int) (bytes int64, err error) {
	a, err := m.ask(ctx, "PUT", true, func(b []byte) []byte { return f.protocol.register(b, f, i, mark) })
	if err != nil {
		return 0, err
	}
	if err := f.protocol.registered(m, i, a.body); err != nil {
		return 0, err
	}
	m.registered = max(m.registered, i-m.first+1) // one before it that failed lapses at the first heartbeat, and is tried again
	return a.length, nil
}

// errLapsed is a lease that the server no longer held, or never learned of.
var errLapsed = &muster.Error{Op: "bench", Code: muster.NotFound, Err: errors.New("the lease had lapsed, the instance registered again")}

// renew sends the n-th heartbeat request of a member, and registers again what had lapsed, as a client would.
func (f *fleet) renew(ctx context.Context, t *tally, m *member, n int) (ops int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ops, lapsed, err := f.protocol.beat(ctx, f, m, n)
	for _, i := range lapsed {
		t.fail(errLapsed, 1)
		if _, err := f.putLocked(ctx, m, i, 0); err != nil {
			return ops, err
		}
	}
	return ops - len(lapsed), err
}

// remove deregisters everything, by many callers at once, and returns how many instances could not be, and why.
func (f *fleet) remove(ctx context.Context) (left int, err error) {
	var callers sync.WaitGroup
	var mu sync.Mutex // guards left and err
	work := make(chan *member)
	for range min(len(f.clients), removers) {
		callers.Go(func() {
			for m := range work {
				n, e := f.removeAll(ctx, m)
				mu.Lock()
				left += n
				if e != nil {
					err = e
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range f.clients {
		work <- m
	}
	close(work)
	callers.Wait()
	return left, err
}

// removers is how many clients deregister at once.
const removers = 32

func (f *fleet) removeAll(ctx context.Context, m *member) (left int, err error) {
	for i := m.first; i < m.first+m.n; i++ {
		_, e := m.do(ctx, "DELETE", true, func(b []byte) []byte { return f.protocol.deregister(b, f, i) })
		if e != nil && muster.CodeOf(e) != muster.NotFound {
			left++
			err = e
		}
		if muster.CodeOf(e) == muster.Unavailable {
			return left + m.first + m.n - i - 1, err // every other one would wait as long
		}
	}
	return left, err
}

// close ends all connections.
func (f *fleet) close() {
	for _, m := range f.clients {
		m.close()
	}
}
