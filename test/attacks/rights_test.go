package attacks

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

const (
	secret = "/api/v1/namespaces/prod/services/PLANS/instances/secret-1"
	lease  = `{"owner":"thief","endpoints":[{"scheme":"http","address":"6.6.6.6:80"}]}`
	beats  = "application/vnd.muster.heartbeats"
)

func TestCredentialsThatAreWrongGetNowhere(t *testing.T) {
	g := newTarget(t)
	expired := g.token("expired", "--allow", "admin", "--expires", "3s")
	revoked := g.token("revoked", "--allow", "admin")
	g.revoke("revoked")
	peer.Await(t, 20*time.Second, "a token to expire", func() bool {
		code, _ := g.do("GET", "/api/v1/status", expired, "")
		return code == 401
	})
	for what, token := range map[string]string{"none": "", "of another server": "mst_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "expired": expired, "revoked": revoked, "the control socket's name": "local:0"} {
		for _, path := range []string{"/api/v1/status", secret, "/ns/prod/eureka/apps", "/metrics", "/", "/api/v1/tokens"} {
			if code, answer := g.do("GET", path, token, ""); code != 401 && code != 429 || strings.Contains(answer, "10.9.8.7") {
				t.Errorf("%s on %s: %d %s", what, path, code, answer)
			}
		}
	}
	g.intact()
}

func TestTokenStaysInItsNamespaceAndServices(t *testing.T) {
	g := newTarget(t)
	other := g.token("other", "--allow", "read,register,operate", "--namespace", "test")
	orders := g.token("orders", "--allow", "register:ORDERS*,operate:ORDERS*")
	for _, path := range []string{
		"/api/v1/namespaces/prod/services", "/ns/prod/eureka/apps", "/ns/PROD/eureka/apps/PLANS", "/?namespace=prod",
		"/api/v1/sd/prometheus?namespace=test&namespace=prod", "/api/v1/namespaces/*/services",
	} {
		if code, answer := g.do("GET", path, other, "", "Namespace", "test", "X-Muster-Namespace", "test"); code != 403 || strings.Contains(answer, "secret") {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
	for _, w := range []struct{ method, path, body string }{
		{"PUT", secret, lease},
		{"DELETE", secret + "?owner=me", ""},
		{"DELETE", secret, ""},
		{"PUT", secret + "/override", `{"status":"down"}`},
		{"PUT", secret + "/intent", `{"enabled":false}`},
		{"DELETE", "/ns/prod/eureka/apps/PLANS/secret-1", ""},
		{"PUT", "/ns/prod/eureka/apps/plans/secret-1/status?value=DOWN", ""},
		{"PUT", "/ns/prod/eureka/apps/PLANS/secret-1/metadata?a=b", ""},
		{"POST", "/ns/prod/eureka/apps/PLANS", `{"instance":{}}`},
		{"POST", "/api/v1/namespaces/prod/heartbeats", `{"items":[{"service":"PLANS","id":"secret-1","owner":"me"}]}`},
	} {
		for name, token := range map[string]string{"of another namespace": other, "for another service": orders} {
			if code, answer := g.do(w.method, w.path, token, w.body, "If-Match", "0"); code != 403 {
				t.Errorf("%s: %s %s: %d %s", name, w.method, w.path, code, answer)
			}
		}
	}
	// The path says ORDERS, the body says PLANS.
	inside := `{"instance":{"app":"PLANS","instanceId":"i1","hostName":"h","ipAddr":"10.0.0.1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`
	if code, answer := g.do("POST", "/ns/prod/eureka/apps/ORDERS", orders, inside); code != 400 {
		t.Errorf("a body that says another service: %d %s", code, answer)
	}
	if code, answer := g.do("PUT", "/api/v1/namespaces/prod/services/ORDERS/instances/i1", orders, `{"service":"PLANS","namespace":"x","owner":"o"}`); code != 400 {
		t.Errorf("a native body that says another service: %d %s", code, answer)
	}
	g.intact()
}

func TestPathTricksReachNothingElse(t *testing.T) {
	g := newTarget(t)
	token := g.token("other", "--allow", "read,register,operate", "--namespace", "test")
	for _, path := range []string{
		"/api/v1/namespaces/test/../prod/services", "/api/v1/namespaces/test/%2e%2e/prod/services", "/api/v1/namespaces/test%2F..%2Fprod/services",
		"/api/v1/namespaces/test/services/..%2F..%2Fprod", "/api/v1//namespaces/prod/services", "//api/v1/namespaces/prod/services", "/API/v1/namespaces/prod/services",
		"/api/v1/namespaces/prod%00/services", "/api/v1/namespaces/%70rod/services", "/api/v1/namespaces/prod/services/", "/api/v1/namespaces/prod;test/services",
		"/api/v1/namespaces/test/services?namespace=prod", "/./api/v1/namespaces/prod/services", "/api/v1/namespaces/test\\..\\prod/services",
		"/ns/test/../prod/eureka/apps", "/ns/test%2F..%2Fprod/eureka/apps", "/ns/test/eureka/../../prod/eureka/apps", "/ns/%70rod/eureka/apps", "/ns/prod%00/eureka/apps",
		"/ns//eureka/apps", "/eureka/../ns/prod/eureka/apps", "/ns/test/eureka/apps/..%2F..%2F..%2Fprod", "/NS/prod/eureka/apps", "/eureka/v1/../../ns/prod/eureka/apps",
		"http://127.0.0.1/api/v1/namespaces/prod/services", "/api/v1/namespaces/prod/services#test", "*", "/ns/prod/eureka/apps/../apps",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
			answer := g.raw(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: Bearer " + token + "\r\n\r\n")
			if strings.Contains(answer, "secret") || strings.Contains(answer, "PLANS") || strings.HasPrefix(answer, "HTTP/1.1 5") {
				t.Errorf("%s %s: %s", method, path, answer)
			}
		}
	}
	g.intact()
}

func TestHandlesOfOthersAreNotKept(t *testing.T) {
	g := newTarget(t)
	made := g.want(200, "PUT", "/api/v1/namespaces/prod/services/SHORT/instances/1", g.admin, `{"owner":"me","ttl":"30s","endpoints":[{"scheme":"http","address":"10.0.0.1:80"}]}`)
	_, rest, ok := strings.Cut(made, `"handle":"`)
	if !ok || len(rest) < 16 {
		t.Fatalf("no handle in %s", made)
	}
	handle, err := strconv.ParseUint(rest[:16], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	frame := func(handles ...uint64) string {
		b := binary.LittleEndian.AppendUint32([]byte("mhb1"), uint32(len(handles)))
		for _, h := range handles {
			b = binary.LittleEndian.AppendUint64(b, h)
		}
		return string(b)
	}
	lapsed := func(namespace, token string, handles ...uint64) int {
		answer := g.want(200, "POST", "/api/v1/namespaces/"+namespace+"/heartbeats", token, frame(handles...), "Content-Type", beats)
		if len(answer) < 12 {
			t.Fatalf("answered %q", answer)
		}
		return int(binary.LittleEndian.Uint32([]byte(answer[8:])))
	}
	token := g.token("other", "--allow", "register", "--namespace", "test")
	if lapsed("test", token, handle) != 1 {
		t.Error("a handle of another namespace was extended")
	}
	if lapsed("prod", g.admin, handle) != 0 {
		t.Error("its own namespace does not know it: the test shows nothing")
	}
	g.want(403, "POST", "/api/v1/namespaces/prod/heartbeats", token, frame(handle), "Content-Type", beats)
	ours := g.token("ours", "--allow", "register:NOTHING")
	for round := range uint64(3) {
		var guesses []uint64
		for i := range uint64(10_000) { // neighbours of one that is known, and small numbers
			guesses = append(guesses, [...]uint64{handle + i + 1, handle ^ (i + 1), i}[round])
		}
		if n := len(guesses) - lapsed("prod", ours, guesses...); n != 0 {
			t.Errorf("%d guessed handles were extended", n)
		}
	}
}

func TestMethodTricksChangeNothing(t *testing.T) {
	g := newTarget(t)
	reader := g.token("reader", "--allow", "read")
	for _, h := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			for _, path := range []string{secret, secret + "/intent", "/ns/prod/eureka/apps/PLANS/secret-1"} {
				g.do(method, path+"?_method=DELETE", g.admin, "", h, "DELETE", "If-Match", "0")
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PATCH", "PURGE", "LINK", "get"} {
		for _, path := range []string{secret, secret + "/intent", "/ns/prod/eureka/apps/PLANS/secret-1", "/ns/prod/eureka/apps/PLANS/secret-1/status?value=DOWN", "/api/v1/tokens"} {
			if code, answer := g.do(method, path, reader, lease, "If-Match", "0"); code >= 500 && code != 501 {
				t.Errorf("%s %s: %d %s", method, path, code, answer)
			}
		}
	}
	g.intact()
}

func TestReadersSeeNoTokensAndTakeNoBackup(t *testing.T) {
	g := newTarget(t, "--anonymous", "read")
	reader, operator := g.token("reader", "--allow", "read"), g.token("operator", "--allow", "operate,register")
	for _, path := range []string{"/api/v1/tokens", "/api/v1/backup"} {
		g.want(401, "GET", path, "", "")
		g.want(403, "GET", path, reader, "")
		g.want(403, "GET", path, operator, "")
	}
	g.want(401, "POST", "/api/v1/tokens", "", `{"name":"mine","allow":["admin"]}`)
	g.want(403, "POST", "/api/v1/tokens", operator, `{"name":"mine","allow":["admin"]}`)
	g.want(401, "DELETE", "/api/v1/tokens/admin", "", "")
	g.want(403, "DELETE", "/api/v1/tokens/admin", operator, "")
	g.want(401, "DELETE", secret, "", "")
	g.want(200, "GET", secret, "", "")
	g.intact()
}

func TestClaimedNamesProveNothing(t *testing.T) {
	g := newTarget(t)
	ops := g.token("ops", "--allow", "operate,register")
	for _, h := range []string{"Muster-By", "Muster-Caller", "X-Forwarded-User", "Remote-User", "X-Remote-User", "DiscoveryIdentity-Name", "X-Forwarded-For", "Forwarded"} {
		g.want(401, "GET", secret, "", "", h, "token:admin")
		g.want(401, "GET", secret, "", "", h, "local:0")
		g.want(403, "GET", "/api/v1/tokens", ops, "", h, "token:admin")
	}
	g.want(200, "PUT", secret+"/intent", ops, `{"note":"n"}`, "If-Match", "0", "Muster-By", "token:admin")
	audit := g.want(200, "GET", "/api/v1/namespaces/prod/audit?service=PLANS", g.admin, "")
	if !strings.Contains(audit, `"proven":"token:ops"`) || strings.Contains(audit, `"proven":"token:admin"`) || !strings.Contains(audit, `"claimed":"token:admin"`) {
		t.Errorf("audit: %s", audit)
	}
}

func TestStreamsEndWithTheirToken(t *testing.T) {
	g := newTarget(t)
	follow := func(token string) <-chan struct{} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", g.URL+"/api/v1/namespaces/prod/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x:"+token)))
		res, err := g.client.Do(req)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(err, res)
		}
		ended := make(chan struct{})
		go func() { // ends with the stream, at the latest with the test
			defer close(ended)
			defer res.Body.Close()
			for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			}
		}()
		return ended
	}
	streams := map[string]<-chan struct{}{
		"revoked": follow(g.token("reader", "--allow", "read")), "expired": follow(g.token("short", "--allow", "read", "--expires", "3s")),
	}
	g.revoke("reader")
	for what, ended := range streams {
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("a stream whose token is %s goes on", what)
		}
	}
}

func TestGuessingTokensIsSlowedDown(t *testing.T) {
	g := newTarget(t)
	codes := map[int]int{}
	for i := range 60 {
		code, _ := g.do("GET", "/api/v1/status", fmt.Sprintf("mst_guess%d", i), "")
		codes[code]++
	}
	if codes[401] > 45 || codes[429] == 0 || codes[401]+codes[429] != 60 {
		t.Errorf("answers by status: %v", codes)
	}
	g.want(200, "GET", "/api/v1/status", g.admin, "") // who has a right one is not locked out
}
