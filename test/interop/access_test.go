package interop

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/test/peer"
)

// guardedFleet is a server that lets nobody in without a token, and the token of its services.
func guardedFleet(t *testing.T, allow ...string) (f *fleet, token string) {
	t.Helper()
	f = &fleet{t: t, server: peer.Muster(t, "--anonymous", "none")}
	args := []string{"token", "create", "services", "--data", f.server.Data}
	for _, a := range allow {
		args = append(args, "--allow", a)
	}
	out, err := exec.Command(f.server.Binary, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	token = strings.TrimSpace(string(out))
	driver, err := open.Open("muster://x:"+token+"@"+f.server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.registry = muster.New(driver, nil)
	t.Cleanup(func() {
		if err := f.registry.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f, token
}

// The package takes a user and a password in the URL, as its README shows; it needs no other change.
func TestPythonShowsATokenInItsURL(t *testing.T) {
	t.Parallel()
	f, token := guardedFleet(t, "read", "register:STOCK")
	server := strings.Replace(f.server.URL, "http://", "http://x:"+token+"@", 1) + "/eureka"
	stock := f.python("STOCK", config{Init: map[string]any{"eureka_server": server}})
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
	f, token := guardedFleet(t, "read", "register:STOCK")
	for service, server := range map[string]string{
		"THIEF": strings.Replace(f.server.URL, "http://", "http://x:"+token+"@", 1) + "/eureka", // its token is for another service
		"STOCK": f.server.URL + "/eureka",                                                       // and without any
	} {
		f.python(service, config{Init: map[string]any{"eureka_server": server}})
	}
	peer.Await(t, 60*time.Second, "both to be refused", func() bool { // until then it shows nothing that they are not there
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.server.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("x", token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(page), `muster_requests_total{code="401",face="eureka"}`) &&
			strings.Contains(string(page), `muster_requests_total{code="403",face="eureka"}`)
	})
	pass(2 * poll)
	if n := len(viewOf(f.registry.View().Table)); n != 0 {
		t.Errorf("%d services are registered, want none: %v", n, viewOf(f.registry.View().Table))
	}
}

// As Spring Cloud's RestTemplate client sends it: Basic from the URL's user information, with its own Accept and Content-Type.
func TestHeadersOfSpringCloudAreLetIn(t *testing.T) {
	t.Parallel()
	f, token := guardedFleet(t, "read", "register:BILLS")
	body := `{"instance":{"instanceId":"host:bills:8080","app":"BILLS","hostName":"host","ipAddr":"10.0.0.1","sid":"na","status":"UP","overriddenStatus":"UNKNOWN",` +
		`"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"countryId":1,"vipAddress":"bills","secureVipAddress":"bills",` +
		`"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90},` +
		`"lastUpdatedTimestamp":"1","lastDirtyTimestamp":"2"}}`
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/apps/BILLS", body, "204"}, {"PUT", "/apps/BILLS/host:bills:8080?status=UP&lastDirtyTimestamp=2", "", "200"}, {"GET", "/apps/", "", "200"},
		{"GET", "/apps/delta", "", "200"}, {"POST", "/apps/OTHER", strings.Replace(body, `"BILLS"`, `"OTHER"`, 1), "403"}, {"DELETE", "/apps/BILLS/host:bills:8080", "", "200"},
	} {
		req, err := newSpringRequest(step.method, f.server.URL+"/eureka"+step.path, step.body)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("user", token)
		if got := status(t, req); got != step.want {
			t.Errorf("%s %s: answered %s, want %s", step.method, step.path, got, step.want)
		}
	}
}
