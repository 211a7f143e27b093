package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/peer"
)

// acknowledged is an intent that the server said is stored; the writer's list of them is in a file of its own.
type acknowledged struct {
	Rev    uint64
	ID     string
	Weight int
	Why    string
}

// write is a program that writes intents for four instances in turn and notes in a file what was acknowledged: args are the
// server's address and the file. It goes on for ever, whatever the server does.
func write(args []string) error {
	driver, err := remote.Open(remote.Options{Hosts: args[:1], By: "writer"})
	if err != nil {
		return err
	}
	defer driver.Close()
	file, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	fmt.Println("writing")
	for n := 0; ; n++ {
		key := muster.Key{Namespace: muster.DefaultNamespace, Service: service, ID: fmt.Sprintf("instance-%d", n%4)}
		stored, err := writeOne(driver, key, muster.Intent{Weight: new(n % 10000), Why: fmt.Sprintf("write %d", n)})
		if err != nil {
			<-time.After(5 * time.Millisecond) // the outcome is unknown: the next round reads before it writes
			continue
		}
		line, err := json.Marshal(acknowledged{stored.Rev, key.ID, *stored.Weight, stored.Why})
		if err != nil {
			return err
		}
		if _, err := file.Write(append(line, '\n')); err != nil {
			return err
		}
	}
}

func writeOne(driver *remote.Driver, key muster.Key, it muster.Intent) (*muster.Intent, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	was, err := driver.Intent(ctx, key)
	if err != nil {
		return nil, err
	}
	if was != nil {
		it.Rev = was.Rev
	}
	return driver.SetIntent(ctx, key, it)
}

// What an operator was told is done survives kill -9: value by value, in the order of the answers.
func TestNoAcknowledgedIntentIsLostByKillMinus9(t *testing.T) {
	t.Parallel()
	server := peer.Muster(t)
	path := filepath.Join(t.TempDir(), "acknowledged")
	writer := start(t, "write", peer.Line("writing"), server.Addr, path)
	kills := 100
	if os.Getenv("MUSTER_SOAK") == "1" {
		kills = 500
	}
	for n := range kills {
		before := len(readAcknowledged(t, path))
		peer.Await(t, 2*slack, "more writes", func() bool { return len(readAcknowledged(t, path)) >= before+5+n%10 })
		server.Kill()
		server.Restart()
	}
	before := len(readAcknowledged(t, path))
	peer.Await(t, 2*slack, "writes after the last restart", func() bool { return len(readAcknowledged(t, path)) > before })
	writer.Kill()
	server.Kill() // once more, with nobody writing
	server.Restart()
	pass(ttl)

	acks := readAcknowledged(t, path)
	audit, intents := readAudit(t, server.Addr)
	last := map[string]acknowledged{}
	for n, a := range acks {
		if n > 0 && a.Rev <= acks[n-1].Rev {
			t.Errorf("revision %d was answered after %d", a.Rev, acks[n-1].Rev)
		}
		r, found := audit[a.Rev]
		if !found || r.After == nil || r.Key.ID != a.ID || *r.After.Weight != a.Weight || r.After.Why != a.Why {
			t.Errorf("acknowledged %+v, the audit has %+v", a, r)
		}
		last[a.ID] = a
	}
	for id, a := range last {
		switch it := intents[id]; {
		case it == nil || it.Rev < a.Rev:
			t.Errorf("last acknowledged of %s is %+v, stored is %+v", id, a, it)
		case it.Rev == a.Rev && (*it.Weight != a.Weight || it.Why != a.Why):
			t.Errorf("stored under revision %d is %+v, acknowledged was %+v", a.Rev, it, a)
		}
	}
	t.Logf("%d writes acknowledged over %d kills, %d audited", len(acks), kills+1, len(audit))
}

// readAcknowledged reads the writer's list.
func readAcknowledged(t testing.TB, path string) []acknowledged {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []acknowledged
	for line := range strings.Lines(string(text)) {
		var a acknowledged
		if json.Unmarshal([]byte(line), &a) != nil && strings.HasSuffix(line, "\n") {
			t.Fatalf("the writer's list has %q", line)
		} else if strings.HasSuffix(line, "\n") {
			all = append(all, a)
		}
	}
	return all
}

// readAudit reads all audit records, by ID, and the intents of the instances they name.
func readAudit(t testing.TB, addr string) (map[uint64]muster.AuditRecord, map[string]*muster.Intent) {
	t.Helper()
	driver, err := remote.Open(remote.Options{Hosts: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	audit := map[uint64]muster.AuditRecord{}
	intents := map[string]*muster.Intent{}
	for before := uint64(0); ; {
		records, err := driver.Audit(t.Context(), service, before, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			audit[r.ID], intents[r.Key.ID] = r, nil
		}
		before = records[len(records)-1].ID
	}
	for _, id := range slices.Sorted(maps.Keys(intents)) {
		it, err := driver.Intent(t.Context(), muster.Key{Namespace: muster.DefaultNamespace, Service: service, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		intents[id] = it
	}
	return audit, intents
}
