package interop

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/test/peer"
)

// guardedFleet is a server that lets nobody in without a token, and one token.
func guardedFleet(t *testing.T, allow ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, server: peer.Muster(t, "--anonymous", "none")}
	f.token = f.issue("services", allow...)
	driver, err := open.Open("muster://x:"+f.token+"@"+f.server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.registry = muster.New(driver, nil)
	t.Cleanup(func() {
		if err := f.registry.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// issue makes a token as who owns the server's data directory may.
func (f *fleet) issue(name string, allow ...string) string {
	f.t.Helper()
	args := []string{"create", name}
	for _, a := range allow {
		args = append(args, "--allow", a)
	}
	return f.tokens(args...)
}

// tokens runs a subcommand of muster token and returns what it prints.
func (f *fleet) tokens(args ...string) string {
	f.t.Helper()
	out, err := exec.Command(f.server.Binary, append([]string{"token", "--data", f.server.Data}, args...)...).Output()
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// showing returns an Eureka client's address of a server, with a token in it.
func showing(token, server string) string {
	return strings.Replace(server, "http://", "http://x:"+token+"@", 1) + "/eureka"
}

// The package takes a user and a password in the URL, as its README shows; it needs no other change.
func TestPythonShowsATokenInItsURL(t *testing.T) {
	t.Parallel()
	f := guardedFleet(t, "read", "register:STOCK")
	stock := f.python("STOCK", config{Init: map[string]any{"eureka_server": showing(f.token, f.server.URL)}})
	f.awaitEverywhere(20*time.Second, "up", stock, up)
	pass(pythonTTL + slack) // its heartbeats show the token too
	f.awaitEverywhere(20*time.Second, "still up", stock, up)
	stock.Stop()
	peer.Await(t, 10*time.Second, "the registry to be without it", func() bool {
		_, listed := viewOf(f.registry.View().Table)["STOCK"][stock.config.Me]
		return !listed
	})
}

func TestPythonWithoutTheRightStaysOut(t *testing.T) {
	t.Parallel()
	f := guardedFleet(t, "read", "register:STOCK")
	for service, server := range map[string]string{
		"THIEF": showing(f.token, f.server.URL), // its token is for another service
		"STOCK": f.server.URL + "/eureka",       // and without any
	} {
		f.python(service, config{Init: map[string]any{"eureka_server": server}})
	}
	peer.Await(t, 60*time.Second, "both to be refused", func() bool { // until then it shows nothing that they are not there
		return f.metric("muster_requests_total", `code="401",face="eureka"`) > 0 && f.metric("muster_requests_total", `code="403",face="eureka"`) > 0
	})
	pass(2 * poll)
	if n := len(viewOf(f.registry.View().Table)); n != 0 {
		t.Errorf("%d services are registered, want none: %v", n, viewOf(f.registry.View().Table))
	}
}
