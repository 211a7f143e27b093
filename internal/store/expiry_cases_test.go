package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// TestExpiry runs the test of each number in testdata/expiry, which are those of docs/expiry.md.
func TestExpiry(t *testing.T) {
	tests := map[string]func(*fleet){
		"OneMissedHeartbeatIsNothing":           oneMissedHeartbeatIsNothing,
		"TwoMissedHeartbeatsAreLate":            twoMissedHeartbeatsAreLate,
		"LateBeforeDueWhateverTheInterval":      lateBeforeDueWhateverTheInterval,
		"AHeartbeatEndsLateness":                aHeartbeatEndsLateness,
		"SilenceForATTLIsTheEnd":                silenceForATTLIsTheEnd,
		"RegisteringAgainProlongs":              registeringAgainProlongs,
		"AChangeProlongsNothing":                aChangeProlongsNothing,
		"AShorterTTLCountsAtOnce":               aShorterTTLCountsAtOnce,
		"ALongerTTLCountsAtOnce":                aLongerTTLCountsAtOnce,
		"ATakeoverBeginsALease":                 aTakeoverBeginsALease,
		"DeregisteringIsNoExpiry":               deregisteringIsNoExpiry,
		"ARestartGivesOneTTLOfGrace":            aRestartGivesOneTTLOfGrace,
		"NobodyComesBackAfterARestart":          nobodyComesBackAfterARestart,
		"AJournalThatIsBehindExpiresAsEver":     aJournalThatIsBehindExpiresAsEver,
		"SmallFleetsExpire":                     smallFleetsExpire,
		"TenAtOnceAreKept":                      tenAtOnceAreKept,
		"AFewOfManyExpire":                      aFewOfManyExpire,
		"TooManyOfManyAreKept":                  tooManyOfManyAreKept,
		"MixedIntervalsAreNoticedInTime":        mixedIntervalsAreNoticedInTime,
		"FastOnesAreNotSlowOnesMeasure":         fastOnesAreNotSlowOnesMeasure,
		"WhoComesBackIsInTimeAndTheRestExpires": whoComesBackIsInTimeAndTheRestExpires,
		"WhileHeldNothingExpires":               whileHeldNothingExpires,
		"RemovingTheDeadEndsIt":                 removingTheDeadEndsIt,
		"TheEdgeIsNotLoggedAtEachTick":          theEdgeIsNotLoggedAtEachTick,
		"NamespacesAreHeldApart":                namespacesAreHeldApart,
		"OffExpiresEverything":                  offExpiresEverything,
		"ThousandsAreRemovedInBatches":          thousandsAreRemovedInBatches,
		"StaticInstancesNeverExpire":            staticInstancesNeverExpire,
		"StaticInstancesDoNotCount":             staticInstancesDoNotCount,
		"AFindingProlongsNothing":               aFindingProlongsNothing,
		"FindingsWhileHeld":                     findingsWhileHeld,
		"WhoLeavesWhileHeldIsGone":              whoLeavesWhileHeldIsGone,
		"ADrainIsLateAsAnyOther":                aDrainIsLateAsAnyOther,
		"WhatOperatorsWantOutlivesIt":           whatOperatorsWantOutlivesIt,
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(read(t, "../../docs/expiry.md"), -1) {
		documented[m[1]] = true
	}
	ran, last := map[string]bool{}, 0
	for line := range strings.Lines(read(t, "testdata/expiry")) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		number, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if last++; number != strconv.Itoa(last) || !documented[number] {
			t.Errorf("case %s stands at place %d; in docs/expiry.md: %v", number, last, documented[number])
		}
		if where, elsewhere := strings.CutPrefix(name, "in "); elsewhere {
			isThere(t, number, where)
			continue
		}
		if tests[name] == nil {
			t.Errorf("case %s has no test %q", number, name)
		} else if !ran[name] {
			ran[name] = true
			t.Run(number+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { tests[name](&fleet{T: t, quiet: map[muster.Key]func(){}}) })
			})
		}
	}
	if len(documented) != last || len(ran) != len(tests) {
		t.Errorf("%d cases, %d of them in docs/expiry.md; %d of %d tests are for one", last, len(documented), len(ran), len(tests))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// isThere makes sure that a test of another place exists, given as "PACKAGE: TEST".
func isThere(t *testing.T, number, where string) {
	t.Helper()
	room, test, _ := strings.Cut(where, ": ")
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(room), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(read(t, file), "\nfunc "+test+"(t *testing.T)") {
			return
		}
	}
	t.Errorf("case %s: %s has no %s", number, room, test)
}

// fleet is a store in a synctest bubble, with instances that send heartbeats until they are silenced.
type fleet struct {
	*testing.T
	store *store.Store
	quiet map[muster.Key]func() // ends an instance's heartbeats
}

func (f *fleet) open(opt store.Options) *store.Store {
	s, err := store.Open(opt)
	if err != nil {
		f.Fatal(err)
	}
	<-s.Loaded()
	f.store = s
	f.Cleanup(func() {
		for _, end := range f.quiet {
			end()
		}
		s.Close()
	})
	return s
}

// add registers n instances that promise a heartbeat an interval, have a TTL of three, and keep their promise.
func (f *fleet) add(namespace, name string, n int, interval time.Duration) (keys []muster.Key) {
	f.Helper()
	for i := range n {
		k := muster.Key{Namespace: namespace, Service: "ORDERS", ID: fmt.Sprintf("%s-%04d", name, i)}
		r := record(k, 3*interval)
		r.Interval = interval
		register(f, f.store, r)
		f.wake(k, interval)
		keys = append(keys, k)
	}
	return keys
}

func (f *fleet) wake(k muster.Key, interval time.Duration) {
	ctx, cancel := context.WithCancel(f.Context())
	f.quiet[k] = cancel
	go beat(ctx, f.store, k, interval, 0, false, nil)
}

func (f *fleet) silence(keys ...muster.Key) {
	for _, k := range keys {
		f.quiet[k]()
	}
	synctest.Wait()
}

// want insists on how many of the default namespace's instances are listed, late and held.
func (f *fleet) want(when string, listed, late, overdue int) {
	f.Helper()
	f.wantIn("default", when, listed, late, overdue)
}

func (f *fleet) wantIn(namespace, when string, listed, late, overdue int) {
	f.Helper()
	for _, n := range f.store.State().Namespaces {
		if n.Namespace == namespace {
			if n.Instances != listed || n.Late != late || n.Overdue != overdue || overdue > 0 && !n.Preserving {
				f.Errorf("%s: %d listed, %d late, %d held, holding %v; want %d, %d, %d", when, n.Instances, n.Late, n.Overdue, n.Preserving, listed, late, overdue)
			}
			return
		}
	}
	f.Errorf("%s: there is no namespace %s", when, namespace)
}

// lines counts what a log said.
type lines struct {
	slog.Handler
	said map[string]int
}

func (h lines) Enabled(context.Context, slog.Level) bool { return true }

func (h lines) Handle(_ context.Context, r slog.Record) error {
	text, _, _ := strings.Cut(r.Message, " in namespace")
	h.said[text]++
	return nil
}
