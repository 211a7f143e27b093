package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// world is a store with a prober, and what its instances would answer.
type world struct {
	t      *testing.T
	store  *store.Store
	prober *Prober

	mu     sync.Mutex // guards what follows
	ill    map[string]error
	asked  map[string][]time.Time // by address
	during int
	most   int           // at once
	takes  time.Duration // an answer
}

// begin is to be called in a synctest bubble; all ends with it.
func begin(t *testing.T, specs ...string) *world {
	t.Helper()
	s, err := store.Open(store.Options{Preserve: store.Preservation{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, ill: map[string]error{}, asked: map[string][]time.Time{}}
	var opt Options
	for _, text := range specs {
		spec, err := ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		opt.Specs = append(opt.Specs, spec)
	}
	w.prober = NewProber(s, opt)
	w.prober.ask = w.answer
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.prober.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) answer(ctx context.Context, check Check) error {
	w.mu.Lock()
	w.asked[check.Address] = append(w.asked[check.Address], time.Now())
	w.during++
	w.most = max(w.most, w.during)
	err, takes := w.ill[check.Address], w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.during--
	return err
}

// makes an instance ill, or well again.
func (w *world) makes(addr string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ill[addr] = err
}

func (w *world) times(addr string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked[addr])
}

// register registers an instance of ORDERS at an address, for good.
func (w *world) register(addr, owner string) {
	w.t.Helper()
	in := &muster.Instance{
		Namespace: "default", Service: "ORDERS", ID: addr, Owner: owner, Status: muster.Up, Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}},
	}
	w.put(in)
}

func (w *world) put(in *muster.Instance) {
	w.t.Helper()
	if _, err := w.store.Update(in.Key(), func(*store.Record) (*store.Record, error) {
		return &store.Record{Instance: in, TTL: 24 * time.Hour}, nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) effective(addr string) muster.Effective {
	w.t.Helper()
	rec := w.store.Get(muster.Key{Namespace: "default", Service: "ORDERS", ID: addr})
	if rec == nil {
		w.t.Fatalf("%s is not registered", addr)
	}
	return rec.Instance.Effective()
}

// addr is the n-th instance's, on a machine of its own.
func addr(n int) string { return fmt.Sprintf("10.0.%d.%d:8080", n/250, n%250+1) }

var errIll = errors.New("GET /up answered 503 Service Unavailable")

func TestThreeWrongAnswersAreDownAndOneRightOneIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=http:/up")
		w.register(addr(0), "a")
		w.makes(addr(0), errIll)
		for w.times(addr(0)) < 2 {
			time.Sleep(time.Second)
		}
		if e := w.effective(addr(0)); !e.Up() {
			t.Errorf("after two wrong answers: %+v", e)
		}
		for w.times(addr(0)) < 3 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got, want := w.effective(addr(0)).Because, "reports down: probe: GET /up answered 503 Service Unavailable, 3 times"; got != want {
			t.Errorf("because %q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if st := w.prober.State()["default"]; st.Down != 1 || st.Instances != 1 {
			t.Errorf("%+v", st)
		}
		w.makes(addr(0), nil)
		time.Sleep(12 * time.Second)
		if e := w.effective(addr(0)); !e.Up() || e.Because != "" {
			t.Errorf("after a right answer: %+v", e)
		}
	})
}

func TestWrongAnswersThatAreNotInARowDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		w.register(addr(0), "a")
		for round := range 10 {
			w.makes(addr(0), errIll)
			if round%3 == 2 {
				w.makes(addr(0), nil)
			}
			for n := w.times(addr(0)); w.times(addr(0)) == n; {
				time.Sleep(500 * time.Millisecond)
			}
			if e := w.effective(addr(0)); !e.Up() {
				t.Fatalf("round %d: %+v", round, e)
			}
		}
	})
}

func TestWhoRegistersAnewBeginsWithoutAFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		w.register(addr(0), "a")
		w.makes(addr(0), errIll)
		time.Sleep(time.Minute)
		if w.effective(addr(0)).Up() {
			t.Fatal("not judged")
		}
		w.register(addr(0), "b")
		if e := w.effective(addr(0)); !e.Up() {
			t.Errorf("registered anew: %+v", e)
		}
		time.Sleep(15 * time.Second) // one or two wrong answers
		if e := w.effective(addr(0)); !e.Up() {
			t.Errorf("the wrong answers of its predecessor count: %+v", e)
		}
		time.Sleep(time.Minute)
		if e := w.effective(addr(0)); e.Up() {
			t.Errorf("still ill: %+v", e)
		}
	})
}

func TestAFindingThatTheStoreLostIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		w.register(addr(0), "a")
		w.makes(addr(0), errIll)
		time.Sleep(time.Minute)
		k := muster.Key{Namespace: "default", Service: "ORDERS", ID: addr(0)}
		if _, err := w.store.Update(k, func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		w.register(addr(0), "a") // before anybody looked
		time.Sleep(time.Minute)
		if e := w.effective(addr(0)); e.Up() {
			t.Errorf("it is ill: %+v", e)
		}
	})
}

func TestMoreThanHalfAtOnceJudgeNobody(t *testing.T) {
	for _, tt := range []struct{ of, ill, down int }{
		{1, 1, 1}, {3, 3, 3}, // too few to tell
		{4, 2, 2}, {4, 3, 0}, {4, 4, 0}, {100, 50, 50}, {100, 51, 0}, {100, 100, 0},
	} {
		t.Run(fmt.Sprintf("%d of %d", tt.ill, tt.of), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, "ORDERS=tcp")
				for i := range tt.of {
					w.register(addr(i), "a")
				}
				time.Sleep(30 * time.Second)
				for i := range tt.ill {
					w.makes(addr(i), errIll)
				}
				time.Sleep(5 * time.Minute)
				if st := w.prober.State()["default"]; st.Down != tt.down || (len(st.Held) > 0) != (tt.down == 0) {
					t.Errorf("%+v, want %d down", st, tt.down)
				}
				if tt.down > 0 {
					return
				}
				for i := tt.of / 4; i < tt.ill; i++ { // most come back: what is ill now is ill by itself
					w.makes(addr(i), nil)
				}
				time.Sleep(time.Minute)
				if st := w.prober.State()["default"]; st.Down != tt.of/4 || len(st.Held) != 0 {
					t.Errorf("afterwards %+v, want %d down", st, tt.of/4)
				}
			})
		})
	}
}

func TestAPanicKeepsWhatWasJudgedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		for i := range 10 {
			w.register(addr(i), "a")
		}
		w.makes(addr(0), errIll)
		time.Sleep(time.Minute)
		for i := range 10 {
			w.makes(addr(i), errIll)
		}
		time.Sleep(2 * time.Minute)
		if st := w.prober.State()["default"]; st.Down != 1 || len(st.Held) != 1 || st.Held[0] != "ORDERS" {
			t.Errorf("%+v, want the first one down and nobody else", st)
		}
	})
}

func TestOnlyWhoReportsUpIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		in := muster.Instance{Namespace: "default", Service: "orders", ID: "x", Status: muster.Starting, Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr(0)}}}
		w.put(new(in))
		time.Sleep(time.Minute)
		if n := w.times(addr(0)); n != 0 {
			t.Errorf("asked %d times while it is starting", n)
		}
		in.Status = muster.Up
		w.put(new(in))
		w.makes(addr(0), errIll)
		time.Sleep(time.Minute)
		in.Status = muster.OutOfService
		w.put(new(in))
		time.Sleep(2 * time.Second)
		if got := w.store.Get(in.Key()).Instance.Effective(); got.Because != "reports out_of_service" {
			t.Errorf("%+v, want what it reports and no finding", got)
		}
		n := w.times(addr(0))
		time.Sleep(time.Minute)
		if w.times(addr(0)) != n {
			t.Error("asked on while it is out of service")
		}
	})
}

func TestQuestionsAreSpreadAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		w.takes = 100 * time.Millisecond
		const n = 4000 // twice as many as 200 a second can be asked within 10 s
		for i := range n {
			w.register(addr(i), "a")
		}
		time.Sleep(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		var all int
		for _, times := range w.asked {
			all += len(times)
		}
		if all > 60*perSecond+perSecond || all < 55*perSecond {
			t.Errorf("%d questions within a minute, want about %d", all, 60*perSecond)
		}
		if len(w.asked) != n {
			t.Errorf("%d of %d were asked", len(w.asked), n)
		}
		if w.most > underWay {
			t.Errorf("%d at once", w.most)
		}
	})
}

func TestSlowAnswersHoldNoMoreThanTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=tcp")
		w.takes = time.Hour
		for i := range 500 {
			w.register(addr(i), "a")
		}
		time.Sleep(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.most != underWay {
			t.Errorf("%d at once, want %d", w.most, underWay)
		}
	})
}

func TestOneAddressIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "*=tcp")
		for i := range 1000 {
			w.register(fmt.Sprintf("10.0.0.7:%d", 1000+i), "a")
		}
		w.register(addr(9), "a")
		time.Sleep(2 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		all := 0
		for a, times := range w.asked {
			if strings.HasPrefix(a, "10.0.0.7:") {
				all += len(times)
			}
		}
		if all > 121*perAddress || all < 1000 {
			t.Errorf("%d questions to one address within two minutes, want about %d", all, 120*perAddress)
		}
		if n := len(w.asked[addr(9)]); n < 10 {
			t.Errorf("another address was asked %d times only", n)
		}
	})
}

// Whoever registers and deregisters in a loop at an address must not put off the questions to those who stay there.
func TestInstancesThatComeAndGoDoNotPutOffWhoStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "*=tcp")
		stays := "10.0.0.7:80"
		w.register(stays, "a")
		for n := range 600 { // seconds
			for i := range 20 {
				w.register(fmt.Sprintf("10.0.0.7:%d", 1000+20*(n%2)+i), "a")
				if _, err := w.store.Update(muster.Key{Namespace: "default", Service: "ORDERS", ID: fmt.Sprintf("10.0.0.7:%d", 1000+20*((n+1)%2)+i)},
					func(*store.Record) (*store.Record, error) { return nil, nil }); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(lookEvery)
		}
		before := w.times(stays)
		time.Sleep(2 * time.Minute)
		if n := w.times(stays) - before; n < 10 {
			t.Errorf("asked %d times within two minutes after ten minutes of churn, and %d times during it", n, before)
		}
		if before < 30 {
			t.Errorf("asked %d times during ten minutes of churn", before)
		}
		w.prober.paces.mu.Lock()
		defer w.prober.paces.mu.Unlock()
		if n := len(w.prober.paces.slots); n > 1 {
			t.Errorf("%d hosts have slots", n)
		}
	})
}

func TestAConnectionIsRefusedByTheAddressThatItGoesTo(t *testing.T) {
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0"} {
		for _, kind := range []Kind{TCP, HTTP, GRPC} {
			p := NewProber(s, Options{})
			_, refused := errors.AsType[*Refused](p.ask(t.Context(), Check{Kind: kind, Address: net.JoinHostPort(host, port), Path: "/"}))
			if !refused {
				t.Errorf("kind %d at %s: not refused", kind, host)
			}
		}
	}
	p := NewProber(s, Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	for i := range perAddress + 1 {
		err := p.ask(t.Context(), Check{Address: net.JoinHostPort("localhost", port)})
		if i < perAddress && err != nil || i == perAddress && !errors.Is(err, errTooSoon) {
			t.Errorf("question %d by name: %v", i, err)
		}
	}
}

func TestSpecsAreReadAndRefused(t *testing.T) {
	for text, want := range map[string]string{
		"ORDERS=tcp": "default:ORDERS=tcp", "eu:ord*=http:/healthz?a=b": "eu:ord*=http:/healthz?a=b", "*:*=grpc": "*:*=grpc",
	} {
		if spec, err := ParseSpec(text); err != nil || spec.String() != want {
			t.Errorf("%q: %v, %v", text, spec, err)
		}
	}
	for _, text := range []string{"", "ORDERS", "=tcp", ":x=tcp", "a:=tcp", "a:b:c=tcp", "ORDERS=udp", "ORDERS=http", "ORDERS=http:healthz", "ORDERS=http://10.0.0.1/x", "OR/DERS=tcp", "ORDERS=http:/%zz"} {
		if spec, err := ParseSpec(text); err == nil {
			t.Errorf("%q was taken for %v", text, spec)
		}
	}
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "ORDERS", true}, {"orders", "orders2", false}, {"ord*", "Orders", true}, {"*ers", "orders", true}, {"o*d*s", "orders", true},
		{"o*x*s", "orders", false}, {"*", "orders", true}, {"a*a", "a", false}, {"**", "x", true}, {"*r*r*", "order-r", true},
	} {
		if (Spec{Service: tt.pattern}).names(tt.name) != tt.want {
			t.Errorf("%q for %q: want %v", tt.pattern, tt.name, tt.want)
		}
	}
}

func TestAnInstanceIsAskedAtItsOwnEndpoint(t *testing.T) {
	in := &muster.Instance{Endpoints: []muster.Endpoint{{Scheme: "thrift", Address: "a:1"}, {Scheme: "https", Address: "a:2"}, {Scheme: "grpcs", Address: "a:3"}}}
	for text, want := range map[string]Check{
		"S=tcp": {Address: "a:1"}, "S=http:/x": {Kind: HTTP, Address: "a:2", TLS: true, Path: "/x"}, "S=grpc": {Kind: GRPC, Address: "a:3", TLS: true},
	} {
		spec, _ := ParseSpec(text)
		if got, ok := spec.check(in); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	in.Endpoints = in.Endpoints[:1]
	if spec, _ := ParseSpec("S=http:/x"); true {
		if got, ok := spec.check(in); ok {
			t.Errorf("without an endpoint of HTTP it is asked at %+v", got)
		}
	}
}

func TestTheReasonOfWhoIsIllFollowsTheAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, "ORDERS=http:/up")
		w.register(addr(0), "a")
		asked := func(n int) {
			for n += w.times(addr(0)); w.times(addr(0)) < n; {
				time.Sleep(time.Second)
			}
		}
		w.makes(addr(0), errIll)
		asked(4)
		w.makes(addr(0), errors.New("connection refused"))
		asked(2)
		if e := w.effective(addr(0)); !strings.Contains(e.Because, "answered 503") {
			t.Errorf("after two answers of another kind: %+v", e)
		}
		asked(2)
		if e := w.effective(addr(0)); e.Up() || !strings.Contains(e.Because, "connection refused, 3 times") {
			t.Errorf("after three answers of another kind: %+v", e)
		}
		before := w.effective(addr(0)).Because
		for n := range 8 {
			w.makes(addr(0), fmt.Errorf("read 127.0.0.1:%d: reset", 40_000+n))
			asked(1)
		}
		if e := w.effective(addr(0)); e.Because != before {
			t.Errorf("answers of which no two are alike are told: %+v", e)
		}
	})
}
