package social_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is the whole system in one process: a registry, a store behind HTTP, and running roles.
type town struct {
	t        *testing.T
	registry *muster.Registry
	memory   *social.Memory
	server   *httptest.Server // of memory
	store    *social.Store    // on the server
	web      *http.Client
	running  sync.WaitGroup
	stop     context.CancelFunc
	ctx      context.Context
}

// newTown starts one instance of each role given.
func newTown(t *testing.T, roles ...string) *town {
	t.Helper()
	n := &town{t: t, memory: new(social.Memory)}
	n.registry = muster.New(local.Open(nil), &muster.Options{Drain: -1})
	n.server = httptest.NewServer(social.NewStoreServer(n.memory))
	remote := social.NewRemote(n.server.URL)
	n.store = social.NewStore(remote)
	client := muster.NewClient(n.registry, &muster.ClientOptions{Policy: muster.RoundRobin})
	n.web = &http.Client{Transport: httprpc.NewTransport(client, nil), Timeout: 20 * time.Second}
	n.ctx, n.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		n.web.CloseIdleConnections()
		n.stop()
		n.running.Wait()
		client.Close()
		remote.Close()
		n.server.Close()
		n.registry.Close(context.Background())
	})
	for _, role := range roles {
		n.start(role)
	}
	return n
}

// start runs one more instance of a role; when it returns, the instance is found.
func (n *town) start(role string) {
	n.t.Helper()
	started := make(chan *muster.Registration, 1)
	n.running.Go(func() {
		err := social.Serve(n.ctx, role, n.registry, n.store, social.Options{Started: func(reg *muster.Registration) { started <- reg }})
		if err != nil {
			n.t.Errorf("%s: %v", role, err)
		}
	})
	select {
	case reg := <-started:
		n.find(reg.Instance().Service, reg.Instance().ID)
	case <-time.After(20 * time.Second):
		n.t.Fatalf("%s did not start", role)
	}
}

func (n *town) find(service, id string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := n.registry.Wait(ctx, service, func(s *muster.Snapshot) bool { return s.Instance(id) != nil }); err != nil {
		n.t.Fatal(err)
	}
}

// kept returns what is stored, past the server.
func (n *town) kept() (comments []social.Comment, pushes []social.Push) {
	n.t.Helper()
	store := social.NewStore(n.memory)
	comments, err := store.Comments(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	if pushes, err = store.Pushes(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	return comments, pushes
}

// said is what the API answered.
type said struct {
	status int
	body   string
	answer struct {
		Code int
		Data struct {
			UserID string `json:"u_id"`
			ID     int64  `json:"comment_id"`
		}
		Message string
	}
}

// post posts a body to the API; key may be empty.
func (n *town) post(path, key, body string) (said, error) {
	req, _ := http.NewRequest("POST", "http://comments"+path, bytes.NewReader([]byte(body)))
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := n.web.Do(req)
	if err != nil {
		return said{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	s := said{status: resp.StatusCode, body: string(bytes.TrimSpace(b))}
	_ = json.Unmarshal(b, &s.answer) // data is a string in some answers
	return s, err
}

// must is post for a call that has to be answered.
func (n *town) must(path, key, body string) said {
	n.t.Helper()
	s, err := n.post(path, key, body)
	if err != nil {
		n.t.Fatalf("POST %s: %v", path, err)
	}
	return s
}
