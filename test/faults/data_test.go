package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/remote"
	"github.com/muster-go/muster/test/peer"
)

// A server that cannot do its work ends at once and says what is wrong, where, and what helps.
func TestServeSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	running := peer.Muster(t)
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		name, listen, data string
		code               int
		says               []string
	}{
		{"the port is taken", running.Addr, other, 1, []string{running.Addr, "taken", "--listen"}},
		{"the data are another process's", "127.0.0.1:0", running.Data, 1, []string{running.Data, "another process"}},
		{"the data directory is a file", "127.0.0.1:0", file, 1, []string{file, "not a directory"}},
		{"the data directory cannot be made", "127.0.0.1:0", "/proc/muster", 1, []string{"/proc/muster"}},
		{"the address makes no sense", "nowhere", other, 2, []string{`"nowhere"`, "host:port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, says := serveEnds(t, running.Binary, "--listen", c.listen, "--data", c.data)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(says, want) {
					t.Errorf("it says %q, want %q in it", says, want)
				}
			}
		})
	}
	if err := peer.HTTP(running.URL+"/readyz")(t.Context(), ""); err != nil {
		t.Errorf("the server that was there before: %v", err)
	}
}

// Damaged data are never served as if they were whole: the server refuses, or has everything. With --recover it starts on what is
// intact, invents nothing, and leaves the damaged file aside.
func TestServeOnDamagedData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		damage  func(file []byte) []byte
		refuses bool // it must; otherwise it may also start with everything
		keeps   int  // intents that recovery must find at least
	}{
		{"a torn last page", func(b []byte) []byte { return b[:len(b)-2048] }, false, 40},
		{"one intent's page overwritten", overwriteOne, true, 1},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }, true, 0},
		{"overwritten in the middle", func(b []byte) []byte { copy(b[len(b)/4:len(b)/2], bytes.Repeat([]byte{0xA5}, len(b))); return b }, true, 0},
		{"overwritten at the start", func(b []byte) []byte { copy(b, bytes.Repeat([]byte{0xA5}, 8192)); return b }, true, 0},
		{"something else", func([]byte) []byte { return []byte(strings.Repeat("this is a letter\n", 1000)) }, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := peer.Muster(t)
			writeIntents(t, server.Addr, 40)
			server.Kill()
			path := filepath.Join(server.Data, "muster.db")
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}

			flags := []string{"--listen", server.Addr, "--data", server.Data}
			if code, says, ended := serveMayEnd(t, server, flags); ended {
				if code != 1 || !strings.Contains(says, path) || !strings.Contains(says, "--recover") {
					t.Errorf("exit code %d, %q; want 1, the path of the file and --recover", code, says)
				}
			} else if kept := readIntents(t, server.Addr, 40); kept != 40 || c.refuses {
				t.Errorf("it started with %d of 40 intents and did not say that the file is damaged", kept)
			} else {
				return // nothing that matters was in the torn part
			}
			if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, c.damage(bytes.Clone(whole))) {
				t.Errorf("a refused start changed the damaged file (%v)", err)
			}

			serve(t, server.Binary, server.Addr, append(flags, "--recover")...)
			kept := readIntents(t, server.Addr, 40)
			if kept < c.keeps {
				t.Errorf("%d of 40 intents recovered, want at least %d", kept, c.keeps)
			}
			t.Logf("%d of 40 intents recovered", kept)
			if aside, _ := filepath.Glob(path + ".damaged-*"); len(aside) != 1 {
				t.Errorf("set aside: %q, want one file", aside)
			}
			view := newRegistry(t, server.Addr)
			reg := newTarget(t, view, service)
			peer.Await(t, slack, "the instance", func() bool { return lists(view, service, reg.Instance().ID) })
			stays(t, view, ttl+ttl/2, service, reg.Instance().ID)
		})
	}
}

// overwriteOne spoils every page, old copies too, that has the intent number 17.
func overwriteOne(b []byte) []byte {
	const page = 4096
	for at := 0; at+page <= len(b); at += page {
		if bytes.Contains(b[at:at+page], []byte(`"number 17"`)) {
			copy(b[at:at+page], bytes.Repeat([]byte{0xA5}, page))
		}
	}
	return b
}

// When the disk is full, operators are told so, nothing that they were told is done gets lost, and services do not notice.
func TestFullDiskRefusesIntentsAndServesOn(t *testing.T) {
	t.Parallel()
	binary, addr, data := peer.MusterBinary(t), peer.Loopback(peer.FreePort(t)), filepath.Join(t.TempDir(), "data")
	limited := peer.Start(t, peer.Command{
		Name: "muster serve on a full disk", Path: "sh", Ready: peer.HTTP("http://" + addr + "/readyz"),
		Args: []string{"-c", `ulimit -f 512; exec "$0" "$@"`, binary, "serve", "--listen", addr, "--data", data},
	})
	view := newRegistry(t, addr)
	reg := newTarget(t, view, service)
	peer.Await(t, slack, "the instance", func() bool { return lists(view, service, reg.Instance().ID) })
	caller := newCaller(t, view)
	driver := newDriver(t, addr)

	stored, err := 0, error(nil)
	for ; err == nil && stored < 2000; stored++ {
		_, err = driver.SetIntent(t.Context(), intentKey(stored), numbered(stored))
	}
	stored-- // the last was refused
	if !errors.Is(err, muster.Exhausted) || !strings.Contains(err.Error(), data) {
		t.Fatalf("after %d intents: %v; want exhausted, and the data directory named", stored, err)
	}
	status, says := http.StatusOK, ""
	for n := 0; status == http.StatusOK && n < 100; n++ { // a little smaller than the others: one may still find room
		status, says = put(t, fmt.Sprintf("http://%s/api/v1/namespaces/default/services/ORDERS/instances/more-%d/intent", addr, n), `{"note":"`+strings.Repeat("x", 1000)+`"}`)
	}
	if status != http.StatusInsufficientStorage || !strings.Contains(says, "exhausted") {
		t.Errorf("answered %d %s, want 507 exhausted", status, says)
	}
	if it, err := driver.Intent(t.Context(), intentKey(stored)); err != nil || it != nil {
		t.Errorf("the intent that was refused is there: %+v, %v", it, err)
	}
	second := newTarget(t, view, service)
	peer.Await(t, slack, "an instance registered on a full disk", func() bool { return lists(view, service, reg.Instance().ID, second.Instance().ID) })
	stays(t, view, ttl+ttl/2, service, reg.Instance().ID, second.Instance().ID)
	select {
	case <-limited.Ended():
		t.Fatal("the server ended")
	default:
	}

	limited.Kill()
	serve(t, binary, addr, "--listen", addr, "--data", data)
	if kept := readIntents(t, addr, stored); kept != stored {
		t.Errorf("%d of %d acknowledged intents are there with room again", kept, stored)
	}
	peer.Await(t, slack, "the next intent to be stored", func() bool {
		_, err := driver.SetIntent(t.Context(), intentKey(stored), numbered(stored))
		return err == nil
	})
	stays(t, view, ttl+ttl/2, service, reg.Instance().ID, second.Instance().ID)
	caller.check(t)
	t.Logf("%d intents before the disk was full", stored)
}

// serve starts muster serve and waits until it is ready.
func serve(t *testing.T, binary, addr string, flags ...string) *peer.Process {
	t.Helper()
	return peer.Start(t, peer.Command{Name: "muster serve", Path: binary, Args: append([]string{"serve"}, flags...), Ready: peer.HTTP("http://" + addr + "/readyz")})
}

// serveMayEnd starts muster serve and waits until it is ready or has ended.
func serveMayEnd(t *testing.T, server *peer.Server, flags []string) (code int, says string, ended bool) {
	t.Helper()
	var p *peer.Process
	ready := peer.HTTP(server.URL + "/readyz")
	p = peer.Start(t, peer.Command{Path: server.Binary, Args: append([]string{"serve"}, flags...)})
	peer.Await(t, 2*slack, "serve to be ready or to end", func() bool {
		select {
		case <-p.Ended():
			ended = true
			return true
		default:
			return ready(t.Context(), "") == nil
		}
	})
	if !ended {
		return 0, "", false
	}
	return p.Stop(), p.Log(), true
}

// serveEnds runs a muster serve that is to end by itself.
func serveEnds(t *testing.T, binary string, flags ...string) (code int, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*slack)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, append([]string{"serve"}, flags...)...).CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("still running after %v; it said %s", 2*slack, out)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

func newDriver(t *testing.T, addr string) *remote.Driver {
	t.Helper()
	driver, err := remote.Open(remote.Options{Hosts: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { driver.Close() })
	return driver
}

func intentKey(n int) muster.Key {
	return muster.Key{Namespace: muster.DefaultNamespace, Service: "PARTS", ID: fmt.Sprintf("part-%d", n)}
}

// numbered is an intent of about a kilobyte that says which it is.
func numbered(n int) muster.Intent {
	return muster.Intent{Weight: new(n), Note: strings.Repeat("x", 900), Why: fmt.Sprintf("number %d", n)}
}

func writeIntents(t *testing.T, addr string, count int) {
	t.Helper()
	driver := newDriver(t, addr)
	for n := range count {
		if _, err := driver.SetIntent(t.Context(), intentKey(n), numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// readIntents counts how many of the first intents are there, each as it was written.
func readIntents(t *testing.T, addr string, count int) (kept int) {
	t.Helper()
	driver := newDriver(t, addr)
	for n := range count {
		it, err := driver.Intent(t.Context(), intentKey(n))
		if err != nil {
			t.Fatal(err)
		}
		if it == nil {
			continue
		}
		if want := numbered(n); *it.Weight != *want.Weight || it.Note != want.Note || it.Why != want.Why {
			t.Errorf("intent %d is %+v, written was %+v", n, it, want)
		}
		kept++
	}
	return kept
}

// put sends one intent that is to be the first of its instance.
func put(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-Match", "0")
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}
