package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/rpc/httprpc"
)

// goService is the counterpart of service.py: it serves, calls and looks, and writes the same log.
type goService struct {
	config config
	book   *book
	client *http.Client
	calls  sync.WaitGroup
}

// runGoService is the main function of the Go service; text is its config as JSON.
func runGoService(text string) error {
	s := new(goService)
	if err := json.Unmarshal([]byte(text), &s.config); err != nil {
		return err
	}
	var err error
	if s.book, err = openBook(s.config.Log); err != nil {
		return err
	}
	driver, err := open.Open(s.config.Registry, nil)
	if err != nil {
		return err
	}
	registry := muster.New(driver, &muster.Options{TTL: goTTL, Drain: 500 * time.Millisecond})
	defer registry.Close(context.Background())
	client := muster.NewClient(registry, &muster.ClientOptions{Service: s.config.Service, Instance: s.config.Me, Zone: s.config.Zone})
	defer client.Close()
	transport := httprpc.NewTransport(client, nil)
	defer transport.CloseIdleConnections()
	s.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var looking sync.WaitGroup
	looking.Go(func() { s.look(ctx, registry) })
	defer looking.Wait()
	in := muster.Instance{Service: s.config.Service, Zone: s.config.Zone, Metadata: s.config.Metadata}
	return httprpc.Serve(ctx, registry, &http.Server{Addr: s.config.Me, Handler: http.HandlerFunc(s.serve)}, in, &httprpc.ServeOptions{
		Started: func(reg *muster.Registration) { s.started(ctx, reg) },
	})
}

// started begins to obey once the instance is registered.
func (s *goService) started(ctx context.Context, reg *muster.Registration) {
	<-reg.Ready()
	s.book.log(entry{Event: "ready"})
	go s.obey(ctx) // until the standard input ends, at the latest with the process
}

func (s *goService) serve(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	s.book.log(entry{Event: "request", ID: id, Method: r.Method})
	answer := map[string]any{"instance": s.config.Me, "id": id}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer["body"] = json.RawMessage(body)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the caller counts what does not arrive
}

// call calls every service in turn until ctx ends.
func (s *goService) call(ctx context.Context) {
	tick := time.NewTicker(time.Duration(s.config.Every * float64(time.Second)))
	defer tick.Stop()
	for number := 1; ; {
		for _, service := range s.config.Calls {
			e := entry{Event: "call", ID: fmt.Sprintf("%s/http.Client/%d", s.config.Me, number), Service: service, Via: "http.Client", Began: seconds(time.Now())}
			var err error
			if e.Instance, err = s.get(service, e.ID); err != nil {
				e.Error = err.Error()
			}
			s.book.log(e)
			number++
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// get is what a user writes: a stock http.Client and the service's name.
func (s *goService) get(service, id string) (instance string, err error) {
	res, err := s.client.Get("http://" + service + "/work?id=" + id)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", errors.New(res.Status)
	}
	var answer struct{ Instance string }
	err = json.NewDecoder(res.Body).Decode(&answer)
	return answer.Instance, err
}

// look logs every view, and the newest one again every 100 ms.
func (s *goService) look(ctx context.Context, registry *muster.Registry) {
	var changes sync.WaitGroup
	defer changes.Wait()
	changes.Go(func() {
		for v := range registry.Views(ctx) {
			s.logView(v)
		}
	})
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.logView(registry.View())
		case <-ctx.Done():
			return
		}
	}
}

func (s *goService) logView(v *muster.View) {
	if v.Loaded {
		s.book.log(entry{Event: "view", View: viewOf(v.Table)})
	}
}

// viewOf says what a table shows in Eureka's words.
func viewOf(t *muster.Table) view {
	words := map[muster.Status]string{muster.Up: "UP", muster.Down: "DOWN", muster.OutOfService: "OUT_OF_SERVICE", muster.Starting: "STARTING", muster.Unknown: "UNKNOWN"}
	v := view{}
	for _, snapshot := range t.Services {
		instances := map[string]seen{}
		for _, in := range snapshot.Instances {
			instances[in.ID] = seen{Status: words[in.Effective().Status], Zone: in.Zone, Metadata: in.Metadata}
		}
		v[strings.ToUpper(snapshot.Service)] = instances
	}
	return v
}

// obey does what lines on the standard input say.
func (s *goService) obey(ctx context.Context) {
	calling, quiet := context.WithCancel(ctx)
	defer quiet()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err) // the tests write it
		}
		switch c.Do {
		case "call":
			s.calls.Go(func() { s.call(calling) })
		case "quiet":
			quiet()
			s.calls.Wait()
		}
		s.book.log(entry{Event: "did", Number: c.Number})
	}
}
