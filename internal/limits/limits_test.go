package limits_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/internal/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// enter lets requests of a class in and out again, until one is refused or most of them were not, and returns how many were let in
// and the refusal.
func enter(t *testing.T, l *limits.Limits, payer string, c limits.Class, most int) (int, *limits.Refusal) {
	t.Helper()
	a := l.Account(payer)
	for n := range most {
		if err := l.Enter(a, c, 0); err != nil {
			return n, refusal(t, err)
		}
		l.Leave(a, 0)
	}
	return most, nil
}

func refusal(t *testing.T, err error) *limits.Refusal {
	t.Helper()
	r, ok := errors.AsType[*limits.Refusal](err)
	if !ok {
		t.Fatalf("refused with %v, want a Refusal", err)
	}
	return r
}

func TestReadsAreShedFirstAndActsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Requests: 100})
		reads, no := enter(t, l, "a", limits.Read, 1000)
		if reads != 100 || no.Reason != limits.Requests || no.After != 10*time.Millisecond {
			t.Errorf("%d reads, then %+v; want 100, half the burst, and the next in 10 ms", reads, no)
		}
		beats, no := enter(t, l, "a", limits.Beat, 1000)
		if beats != 80 || !strings.Contains(no.Error(), "a asks for more than 100 requests a second (each 2 KiB sent and 64 KiB read count as one more), so its heartbeats are refused") {
			t.Errorf("%d heartbeats, then %v; want 80", beats, no)
		}
		if acts, _ := enter(t, l, "a", limits.Act, 1000); acts != 20 {
			t.Errorf("%d acts, want the 20 that are left", acts)
		}
		if n, no := enter(t, l, "b", limits.Read, 50); no != nil {
			t.Errorf("another payer is refused after %d: %v", n, no)
		}
		if got := l.Refused(limits.Requests); got != 3 {
			t.Errorf("%d refusals are counted, want 3", got)
		}
	})
}

// A payer that reads as fast as it can leaves its own heartbeats what they need.
func TestHeartbeatsPassWhileTheirPayerReadsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Requests: 100})
		refused := 0
		for range 1000 { // 10 s
			if _, no := enter(t, l, "a", limits.Read, 10); no != nil {
				refused++
			}
			if _, no := enter(t, l, "a", limits.Beat, 1); no != nil {
				t.Fatalf("a heartbeat is refused: %v", no)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if refused < 500 {
			t.Errorf("%d of 1000 bursts of reads were refused, want most", refused)
		}
	})
}

// A fleet of 100,000 instances behind one address, each as Eureka's clients are: a heartbeat and a delta each 30 s, at times that
// chance chose. Then all of them start anew within a minute, and each registers and reads the list.
func TestLargeFleetBehindOneAddressFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := limits.Default(8<<30, 0)
		l := limits.New(config.For(8<<30, 2))
		const fleet = 100_000
		for ms := range 30_000 {
			for i := ms; i < fleet; i += 30_000 {
				for _, c := range []limits.Class{limits.Beat, limits.Read} {
					if _, no := enter(t, l, "nat", c, 1); no != nil {
						t.Fatalf("after %d ms: %v", ms, no)
					}
				}
			}
			time.Sleep(time.Millisecond)
		}
		a := l.Account("nat")
		for ms := range 60_000 {
			for i := ms; i < fleet; i += 60_000 {
				if err := l.Enter(a, limits.Registration, 1500); err != nil {
					t.Fatal(err)
				}
				l.Leave(a, 1500)
				if err := l.Enter(a, limits.Read, 0); err != nil {
					t.Fatal(err)
				}
				l.Answered(a, 500<<10)
				l.Leave(a, 0)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func TestLargeBodiesAndAnswersCostMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Requests: 1000})
		a := l.Account("a")
		for n := range 200 { // 9 each, of 1800
			if err := l.Enter(a, limits.Registration, 16<<10); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
			l.Leave(a, 16<<10)
		}
		if err := l.Enter(a, limits.Registration, 0); err == nil {
			t.Error("200 registrations of 16 KiB cost no more than as many empty ones")
		}
		b := l.Account("b")
		l.Answered(b, 64<<20)
		if _, no := enter(t, l, "b", limits.Read, 1); no == nil {
			t.Error("an answer of 64 MiB costs no more than a small one")
		}
		if _, no := enter(t, l, "b", limits.Beat, 1); no != nil {
			t.Errorf("after it a heartbeat is refused: %v", no)
		}
		c := l.Account("c")
		l.Arrived(c, 4<<20)
		if _, no := enter(t, l, "c", limits.Act, 1); no == nil {
			t.Error("a body that did not say how long it is costs nothing")
		}
	})
}

func TestBusyProcessRefusesReadsThenRegistrationsThenHeartbeats(t *testing.T) {
	l := limits.New(limits.Options{Inside: 160})
	under := 0
	fill := func(c limits.Class) *limits.Refusal {
		for {
			a := l.Account(fmt.Sprint("payer ", under))
			if err := l.Enter(a, c, 0); err != nil {
				return refusal(t, err)
			}
			under++
		}
	}
	for _, tt := range []struct {
		class limits.Class
		most  int
	}{{limits.Read, 40}, {limits.Registration, 120}, {limits.Beat, 150}, {limits.Act, 160}} {
		no := fill(tt.class)
		if under != tt.most || no.Reason != limits.Busy || !strings.Contains(no.Error(), "refuses "+tt.class.String()) {
			t.Errorf("%v are refused when %d are under way (%v), want %d", tt.class, under, no, tt.most)
		}
	}
}

func TestOnePayerLeavesMostToTheOthers(t *testing.T) {
	l := limits.New(limits.Options{Inside: 160, Bodies: 1 << 20})
	a, b := l.Account("a"), l.Account("b")
	for n := range 5 {
		if err := l.Enter(a, limits.Read, 0); err != nil {
			t.Fatalf("read %d: %v", n, err)
		}
	}
	if no := refusal(t, l.Enter(a, limits.Read, 0)); no.Reason != limits.AtOnce {
		t.Errorf("more reads of one payer are refused with %v", no)
	}
	if err := l.Enter(b, limits.Read, 0); err != nil {
		t.Errorf("another payer: %v", err)
	}
	for range 2 {
		if err := l.Enter(a, limits.Registration, 256<<10); err != nil {
			t.Fatal(err)
		}
	}
	if no := refusal(t, l.Enter(a, limits.Registration, 1)); no.Reason != limits.AtOnce || !no.Bytes {
		t.Errorf("more bodies of one payer are refused with %v", no)
	}
	if err := l.Enter(b, limits.Registration, 256<<10); err != nil {
		t.Errorf("another payer's body: %v", err)
	}
	l.Leave(a, 256<<10)
	if err := l.Enter(a, limits.Registration, 1000); err != nil {
		t.Errorf("after one of them ended: %v", err)
	}
}

func TestWatchersOfAPayerAreBounded(t *testing.T) {
	l := limits.New(limits.Options{Watchers: 2})
	a := l.Account("a")
	for range 2 {
		if err := l.Watch(a); err != nil {
			t.Fatal(err)
		}
	}
	no := refusal(t, l.Watch(a))
	if no.Reason != limits.Watchers || !strings.Contains(no.Error(), "a has 2 watch streams") {
		t.Errorf("the third is refused with %v", no)
	}
	if err := l.Watch(l.Account("b")); err != nil {
		t.Errorf("another payer: %v", err)
	}
	l.Unwatch(a)
	if err := l.Watch(a); err != nil {
		t.Errorf("after one ended: %v", err)
	}
}

func TestNewestConnectionIsRefused(t *testing.T) {
	l := limits.New(limits.Options{Connections: 4})
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	first, err := l.Connect(a)
	if err != nil {
		t.Fatal(err)
	}
	connect := func(from netip.Addr, want bool) {
		t.Helper()
		if _, err := l.Connect(from); (err == nil) != want {
			t.Errorf("from %v: %v, taken should be %v", from, err, want)
		}
	}
	connect(a, true)
	connect(a, false) // its half
	connect(b, true)
	connect(b, true)
	connect(c, false) // all
	l.Disconnect(first)
	connect(c, true)
	if got := l.Refused(limits.Connections); got != 2 || l.Connections() != 4 {
		t.Errorf("%d refused and %d open, want 2 and 4", got, l.Connections())
	}
}

func TestAddressesOfOneNetworkArePaidTogether(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.7":                "10.0.0.7",
		"::ffff:10.0.0.7":         "10.0.0.7",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":    "2001:db8:1:2::/64",
		"fe80::1234:5678:9%eth0":  "fe80::/64",
		"::1":                     "::/64",
		"2001:db8:1:3:3:4:5:6":    "2001:db8:1:3::/64",
		"64:ff9b::192.0.2.1":      "64:ff9b::/64",
		"255.255.255.255":         "255.255.255.255",
		"::ffff:255.255.255.255%": "",
	} {
		addr, err := netip.ParseAddr(from)
		if want == "" {
			if err == nil {
				t.Errorf("%s is an address", from)
			}
			continue
		}
		if got := limits.Address(addr); got != want {
			t.Errorf("%s is paid by %s, want %s", from, got, want)
		}
	}
}

func TestAccountsAreBoundedAndLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Requests: 10, Watchers: 10})
		watcher := l.Account("watcher")
		if err := l.Watch(watcher); err != nil {
			t.Fatal(err)
		}
		payers := map[*limits.Account]bool{}
		for n := range 200_000 {
			payers[l.Account(fmt.Sprint("payer ", n))] = true
		}
		if len(payers) > 64*1024+1 {
			t.Errorf("%d accounts for 200000 payers", len(payers))
		}
		if got := l.Account("one more").Payer(); got != "others" {
			t.Errorf("when all accounts are taken a payer is %q, want one of the others", got)
		}
		time.Sleep(4 * time.Minute)
		if got := l.Account("one more").Payer(); got != "one more" {
			t.Errorf("after a while it is still %q", got)
		}
		for n := range 1000 {
			l.Account(fmt.Sprint("later ", n)) // sweeps every shard
		}
		if l.Account("watcher") != watcher {
			t.Error("the account of a payer that watches was let go")
		}
	})
}

func TestWhoProvesNothingTakesNoAccountOfThoseWhoDo(t *testing.T) {
	l := limits.New(limits.Options{Requests: 10, Connections: 100})
	for n := range 200_000 { // networks of one attacker, one after the other
		a, err := l.Connect(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(n >> 16), byte(n >> 8), byte(n)}))
		if err != nil {
			t.Fatal(err)
		}
		l.Disconnect(a)
	}
	if got := l.Guest(netip.MustParseAddr("192.0.2.1")).Payer(); got != "others" {
		t.Errorf("one more address is %q; the test fills no accounts", got)
	}
	if got := l.Account("token:orders").Payer(); got != "token:orders" {
		t.Errorf("a token is charged as %q", got)
	}
}

func TestReadersWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Readers: 1, Wait: time.Second})
		a := l.Account("a")
		if err := l.Turn(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if no := refusal(t, l.Turn(t.Context(), a)); no.Reason != limits.Busy || time.Since(began) != time.Second {
			t.Errorf("refused with %v after %v, want after 1 s", no, time.Since(began))
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := l.Turn(gone, a); err == nil {
			t.Error("one that is gone gets a turn")
		}
		got := make(chan error)
		go func() { got <- l.Turn(t.Context(), a) }()
		synctest.Wait()
		l.Pass()
		if err := <-got; err != nil {
			t.Errorf("it does not come: %v", err)
		}
		done := make(chan struct{})
		go func() { l.Again(); close(done) }()
		synctest.Wait()
		l.Pass()
		<-done
		l.Pass()
	})
}

func TestRetryAfterIsWholeSecondsNotTooEarlyAndSpread(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, time.Second, 1100 * time.Millisecond, 5 * time.Second} {
		seen := map[time.Duration]bool{}
		for range 200 {
			got := (&limits.Refusal{After: after}).RetryAfter()
			if got < max(after, time.Second) || got%time.Second != 0 || got > 2*(after+time.Second) {
				t.Fatalf("after %v: come back in %v", after, got)
			}
			seen[got] = true
		}
		if len(seen) < 2 {
			t.Errorf("after %v all are to come back at %v", after, seen)
		}
	}
}

func TestNearestPayersAreListedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Requests: 10, Watchers: 4})
		enter(t, l, "asks", limits.Act, 30)
		for range 3 {
			if err := l.Watch(l.Account("watches")); err != nil {
				t.Fatal(err)
			}
		}
		l.Account("idle")
		l.Account("holds")
		got := l.Nearest(10, func(payer string) []limits.Usage {
			if payer != "holds" {
				return nil
			}
			return []limits.Usage{{Limit: "instances", Used: 5, Most: 10}}
		})
		want := []limits.Usage{
			{Payer: "asks", Limit: "requests", Used: 20, Most: 20, Refused: 1},
			{Payer: "watches", Limit: "watchers", Used: 3, Most: 4},
			{Payer: "holds", Limit: "instances", Used: 5, Most: 10},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if got := l.Nearest(1, nil); len(got) != 1 || got[0].Payer != "asks" {
			t.Errorf("the nearest: %+v", got)
		}
	})
}

func TestEnteringAllocatesNothing(t *testing.T) {
	l := limits.New(limits.Default(1<<30, 0).For(1<<30, 2))
	a := l.Account("10.0.0.7")
	if n := testing.AllocsPerRun(1000, func() {
		if l.Enter(l.Account("10.0.0.7"), limits.Beat, 0) == nil {
			l.Leave(a, 0)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	l := limits.New(limits.Options{Requests: 1_000_000})
	var accounts [64]*limits.Account // one would soon be refused
	for i := range accounts {
		accounts[i] = l.Account(fmt.Sprint(i))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		a := accounts[n%len(accounts)]
		n++
		if err := l.Enter(a, limits.Beat, 0); err != nil {
			b.Fatal(err)
		}
		l.Leave(a, 0)
	}
}
