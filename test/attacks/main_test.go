package attacks

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-go/muster/test/peer"
)

// ran are the attacks of this package that were tried to their end.
type ran struct {
	mu    sync.Mutex // guards names
	names map[string]bool
}

var attacks = ran{names: map[string]bool{}}

// TestMain fails when docs/security-tests.md lists a test of this package that did not run.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		lines, err := listed()
		if err != nil {
			fmt.Println(err)
			code = 1
		}
		for _, l := range lines {
			if l.dir == "test/attacks" && !attacks.names[l.test] {
				fmt.Printf("FAIL: docs/security-tests.md lists %s, which did not run\n", l.test)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// line is a test that the list names, and the folder of its package.
type line struct{ dir, test string }

// listed reads docs/security-tests.md: it names tests as `folder` TestName.
func listed() ([]line, error) {
	root, err := peer.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "security-tests.md"))
	if err != nil {
		return nil, err
	}
	var out []line
	for _, m := range regexp.MustCompile("`([a-z/]+)` (Test[A-Za-z0-9]+)").FindAllStringSubmatch(string(text), -1) {
		out = append(out, line{m[1], m[2]})
	}
	return out, nil
}

// TestListNamesTestsThatAreThere compares docs/security-tests.md with the tests of the tree, in both directions for this package.
func TestListNamesTestsThatAreThere(t *testing.T) {
	lines, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 30 {
		t.Errorf("%d lines are listed", len(lines))
	}
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	there, named := map[string]map[string]bool{}, map[string]bool{"TestMain": true, "TestListNamesTestsThatAreThere": true}
	for _, l := range lines {
		if there[l.dir] == nil {
			there[l.dir] = testsIn(t, filepath.Join(root, filepath.FromSlash(l.dir)))
		}
		if !there[l.dir][l.test] {
			t.Errorf("docs/security-tests.md names %s of %s, which is not there", l.test, l.dir)
		}
		if l.dir == "test/attacks" {
			named[l.test] = true
		}
	}
	for name := range there["test/attacks"] {
		if !named[name] {
			t.Errorf("%s is not in docs/security-tests.md", name)
		}
	}
}

func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}

// target is a server that lets nobody in without a token, and what the attacker must not get at: PLANS in namespace prod.
type target struct {
	*testing.T
	*peer.Server
	admin  string
	client *http.Client
}

func newTarget(t *testing.T, flags ...string) *target {
	t.Helper()
	g := &target{T: t, Server: peer.Muster(t, append([]string{"--anonymous", "none"}, flags...)...)}
	g.client = &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(g.client.CloseIdleConnections)
	g.admin = g.token("admin", "--allow", "admin")
	g.want(200, "PUT", "/api/v1/namespaces/prod/services/PLANS/instances/secret-1", g.admin, `{"owner":"me","ttl":"10m","endpoints":[{"scheme":"http","address":"10.9.8.7:80"}]}`)
	t.Cleanup(func() {
		if g.want(200, "GET", "/livez", "", ""); t.Failed() {
			return
		}
		attacks.mu.Lock()
		defer attacks.mu.Unlock()
		attacks.names[t.Name()] = true
	})
	return g
}

// token makes a token as the server's user does.
func (g *target) token(name string, args ...string) string {
	g.T.Helper()
	cmd := exec.Command(g.Binary, append([]string{"token", "create", name, "--data", g.Data}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		g.T.Fatalf("token create %s: %v\n%s", name, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// revoke takes a token back as the server's user does.
func (g *target) revoke(name string) {
	g.T.Helper()
	if out, err := exec.Command(g.Binary, "token", "revoke", name, "--data", g.Data).CombinedOutput(); err != nil {
		g.T.Fatalf("token revoke %s: %v\n%s", name, err, out)
	}
}

// do is send that is answered.
func (g *target) do(method, path, token, body string, headers ...string) (code int, answer string) {
	g.T.Helper()
	code, answer, err := g.send(method, path, token, body, headers...)
	if err != nil {
		g.T.Fatal(err)
	}
	return code, answer
}

// send sends a request; token is shown as Bearer unless it is "". headers come in pairs.
func (g *target) send(method, path, token, body string, headers ...string) (code int, answer string, err error) {
	g.T.Helper()
	req, err := http.NewRequest(method, g.URL+path, strings.NewReader(body))
	if err != nil {
		g.T.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := g.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			g.T.Errorf("%s %s answers %s: there is no CORS here", method, path, name)
		}
	}
	return res.StatusCode, string(text), nil
}

func (g *target) want(code int, method, path, token, body string, headers ...string) string {
	g.T.Helper()
	got, answer := g.do(method, path, token, body, headers...)
	if got != code {
		g.T.Errorf("%s %s: answered %d %.300s, want %d", method, path, got, answer, code)
	}
	return answer
}

// raw sends bytes and returns all that comes back until the server ends the connection, or is silent: 10 s for the first byte, a
// second after that.
func (g *target) raw(text string) string {
	g.T.Helper()
	conn, err := net.Dial("tcp", g.Addr)
	if err != nil {
		g.T.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text) // a refusal may come before all is sent
	first := make([]byte, 1)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		g.T.Fatal(err)
	}
	if _, err := conn.Read(first); err != nil {
		return ""
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		g.T.Fatal(err)
	}
	rest, _ := io.ReadAll(conn) // until the deadline
	return string(append(first, rest...))
}

// rawAnswered is raw of more than the server will read, again where the reset that ended it overtook the answer.
func (g *target) rawAnswered(text string) (answer string) {
	g.T.Helper()
	for try := 0; answer == "" && try < 5; try++ {
		answer = g.raw(text)
	}
	return answer
}

// intact fails if what the attacker must not change has changed.
func (g *target) intact() {
	g.T.Helper()
	answer := g.want(200, "GET", "/api/v1/namespaces/prod/instances", g.admin, "")
	if strings.Count(answer, `"id":`) != 1 || !strings.Contains(answer, `"id":"secret-1"`) || !strings.Contains(answer, `"effective":{"status":"up","weight":10}`) {
		g.T.Errorf("what was registered has changed: %s", answer)
	}
}
