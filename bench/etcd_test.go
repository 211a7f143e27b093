package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	etcd "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/test/peer"
)

// BenchmarkBesideEtcd is what a registration and a heartbeat cost muster serve, and what they cost etcd, whose columns are the
// floor's here: a lease and a key under it, both on disk before the answer, and LeaseKeepAlive on 64 streams. Etcd is built from its
// module as it is released (etcd/go.mod).
func BenchmarkBesideEtcd(b *testing.B) {
	muster, peer := startMuster(b, true), startEtcd(b)
	clients := dialEtcd(b, peer.addr, 8)
	leases := make([]int64, fleet)
	granted := 0
	b.Run("register", func(b *testing.B) {
		const n = 1000
		l, asks, asked := newLoad(b, muster.addr, callers, false), make([][]byte, n), 0
		request := nativeRegistration(b)
		Pair{
			Work: Side{
				N: n, CPU: muster.cpu, Heap: muster.heap, Settle: flushed,
				Before: func() {
					for i := range asks {
						asks[i] = request(asked)
						asked++
					}
				},
				Do: func(n int) []time.Duration { return l.do(b, n, func(i int) []byte { return asks[i] }, nil) },
			},
			Floor: Side{N: n, CPU: peer.cpu, Do: func(n int) []time.Duration {
				took := clients.do(b, n, func(c *etcdClient, i int) error { return c.register(b, granted+i, nil) })
				granted += n
				return took
			}},
		}.Run(b)
	})
	clients.do(b, fleet, func(c *etcdClient, i int) error { return c.register(b, granted+i, &leases[i]) })
	handles := make([]nativewire.Handle, fleet)
	newLoad(b, muster.addr, 16, false).do(b, fleet, nativeRegistration(b), func(i int, body []byte) { handles[i] = handleIn(b, body) })
	muster.fill(b, fleet, eurekaRegistration)
	time.Sleep(flushed)
	keepAlive := Side{N: fleet, CPU: peer.cpu, Do: func(n int) []time.Duration {
		return clients.do(b, n, func(c *etcdClient, i int) error { return c.renew(leases[i]) })
	}}
	b.Run("heartbeat/native, 64 clients", func(b *testing.B) {
		l := newLoad(b, muster.addr, callers, false)
		asks := make([][]byte, callers)
		for c := range asks {
			frame := nativewire.AppendFrame(nil, handles[c*fleet/callers:(c+1)*fleet/callers])
			asks[c] = message("POST", "/api/v1/namespaces/default/heartbeats", nativewire.FrameType, frame)
		}
		const rounds = 100
		Pair{
			Work: Side{N: rounds * fleet, CPU: muster.cpu, Heap: muster.heap, Do: func(int) []time.Duration {
				return l.do(b, rounds*callers, func(i int) []byte { return asks[i%callers] }, nil)
			}},
			Floor: keepAlive,
		}.Run(b)
	})
	b.Run("heartbeat/eureka", func(b *testing.B) {
		l := newLoad(b, muster.addr, callers, false)
		Pair{
			Work: Side{N: fleet, CPU: muster.cpu, Heap: muster.heap, Do: func(n int) []time.Duration {
				return l.do(b, n, func(i int) []byte {
					return pythons("PUT", eurekaPath(i)+"?status=UP&lastDirtyTimestamp="+dirty, "keep-alive", nil)
				}, nil)
			}},
			Floor: keepAlive,
		}.Run(b)
	})
}

// startEtcd builds etcd and starts it as a single member with its data on disk.
func startEtcd(b *testing.B) *server {
	b.Helper()
	program := filepath.Join(b.TempDir(), "etcd")
	if out, err := exec.Command("go", "build", "-C", "etcd", "-o", program, "go.etcd.io/etcd/server/v3").CombinedOutput(); err != nil {
		b.Fatalf("build etcd: %v\n%s", err, out)
	}
	addr, member := peer.Loopback(peer.FreePort(b)), "http://"+peer.Loopback(peer.FreePort(b))
	return started(addr, peer.Start(b, peer.Command{
		Name: "etcd",
		Path: program,
		Args: []string{
			"--data-dir", filepath.Join(b.TempDir(), "etcd.data"), "--log-level", "error", "--listen-client-urls", "http://" + addr, "--advertise-client-urls", "http://" + addr,
			"--listen-peer-urls", member, "--initial-advertise-peer-urls", member, "--initial-cluster", "default=" + member,
		},
		Ready: peer.HTTP("http://" + addr + "/health"),
	}))
}

// etcdClients are 64 callers over a few connections, each with a stream of its own.
type etcdClients []*etcdClient

type etcdClient struct {
	lease  etcd.LeaseClient
	kv     etcd.KVClient
	stream etcd.Lease_LeaseKeepAliveClient
}

func dialEtcd(b *testing.B, addr string, connections int) (all etcdClients) {
	for range connections {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		for range callers / connections {
			c := &etcdClient{lease: etcd.NewLeaseClient(conn), kv: etcd.NewKVClient(conn)}
			if c.stream, err = c.lease.LeaseKeepAlive(b.Context()); err != nil {
				b.Fatal(err)
			}
			all = append(all, c)
		}
	}
	return all
}

// do is n operations by all callers at once, each of which waits for its answer.
func (all etcdClients) do(b *testing.B, n int, one func(c *etcdClient, i int) error) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	var work sync.WaitGroup
	for at, c := range all {
		work.Go(func() {
			for i := at; i < n; i += len(all) {
				began := time.Now()
				if err := one(c, i); err != nil {
					b.Errorf("etcd: %v", err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	work.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return took
}

// register grants a lease and puts the i-th instance under it.
func (c *etcdClient) register(b *testing.B, i int, id *int64) error {
	lease, err := c.lease.LeaseGrant(b.Context(), &etcd.LeaseGrantRequest{TTL: int64(ttl.Seconds())})
	if err != nil {
		return err
	}
	if id != nil {
		*id = lease.ID
	}
	in := instance(i)
	_, err = c.kv.Put(b.Context(), &etcd.PutRequest{Key: []byte("/services/" + in.Service + "/" + in.ID), Value: nativeBody(b, in), Lease: lease.ID})
	return err
}

// renew is one heartbeat on the caller's stream.
func (c *etcdClient) renew(id int64) error {
	if err := c.stream.Send(&etcd.LeaseKeepAliveRequest{ID: id}); err != nil {
		return err
	}
	answer, err := c.stream.Recv()
	if err == nil && answer.TTL <= 0 {
		err = fmt.Errorf("lease %x was lost", id)
	}
	return err
}
