package social_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
)

// The sample's table of requests, each with its number as the key. ID1 and ID2 stand for the ids of the two users.
var tableOfRequests = []struct{ path, body string }{
	{registerPath, `{"timestamp":1553652949,"email":"nameko@nameko.com","name":"xiaohua","language":"ZH","country":"CN"}`},
	{registerPath, `{"timestamp":1553652949,"email":"nameko@nameko.com","name":"xiaohua","language":"ZH","country":"CN"}`},
	{registerPath, `{"name":"nobody","email":""}`},
	{registerPath, `{ "email": "nameko2@nameko.com", "name": "小明", "tags": [1.0, "<b>", {}], "timestamp": 1553652950 }`},
	{commentPath, `{"timestamp":1553652951,"u_id":"ID2","content":"very good.","article_id":100,"article_u_id":"ID1"}`},
	{commentPath, `{"u_id":"ID2","content":"好","article_id":100,"article_u_id":ID2,"parent_comment_id":7}`},
	{commentPath, `{"u_id":"ID2","content":"x"}`},
	{commentPath, `{"u_id":"1","content":"x","article_u_id":"ID1"}`},
	{commentPath, `{"u_id":"ID1","content":"x","article_u_id":"1"}`},
	{commentPath, `null`},
}

// What Redis holds after them. The values of users_data were written by CPython's json.dumps. C4, C5 and C8 stand for the ids
// of the comments, OF for a digest.
var hashesAfter = map[string]map[string]string{
	"users": {"nameko@nameko.com": "ID1", "nameko2@nameko.com": "ID2"},
	"users_data": {
		"ID1": `{"timestamp": 1553652949, "email": "nameko@nameko.com", "name": "xiaohua", "language": "ZH", "country": "CN"}`,
		"ID2": `{"email": "nameko2@nameko.com", "name": "\u5c0f\u660e", "tags": [1.0, "<b>", {}], "timestamp": 1553652950}`,
	},
	"comments": {
		"C4": `{"comment_id": C4, "key": "comment/4", "u_id": "ID2", "article_u_id": "ID1", "article_id": "100", "parent_comment_id": "", "content": "very good.", "timestamp": "1553652951"}`,
		"C5": `{"comment_id": C5, "key": "comment/5", "u_id": "ID2", "article_u_id": "ID2", "article_id": "100", "parent_comment_id": "7", "content": "\u597d", "timestamp": ""}`,
		"C8": `{"comment_id": C8, "key": "comment/8", "u_id": "ID1", "article_u_id": "1", "article_id": "", "parent_comment_id": "", "content": "x", "timestamp": ""}`,
	},
	"pushes": {
		"push/4": `{"u_id": "ID1", "language": "ZH", "country": "CN", "content": "very good."}`,
		"push/5": `{"u_id": "ID2", "language": "", "country": "", "content": "\u597d"}`,
	},
	"idempotency": {
		"register/0": `{"of": "OF", "u_id": "ID1"}`,
		"register/3": `{"of": "OF", "u_id": "ID2"}`,
		"comment/4":  `{"of": "OF", "comment_id": C4}`,
		"comment/5":  `{"of": "OF", "comment_id": C5}`,
		"comment/8":  `{"of": "OF", "comment_id": C8}`,
	},
	"counters": {"comment_id": "C8"},
}

func TestHashesAreTheSamples(t *testing.T) {
	for name, through := range map[string]func(*town){
		"memory":       func(n *town) { n.store = social.NewStore(n.memory) },
		"store server": func(*town) {},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTown(t)
			through(n)
			for _, role := range social.Roles() {
				n.start(role)
			}
			stands := map[string]string{} // number → its name
			ids := map[string]string{"ID1": "", "ID2": ""}
			for round := range 2 { // repeating every request changes nothing
				for i, req := range tableOfRequests {
					body := strings.NewReplacer("ID1", ids["ID1"], "ID2", ids["ID2"]).Replace(req.body)
					got := n.must(req.path, fmt.Sprint(i), body)
					switch id := got.answer.Data.UserID; {
					case i == 0:
						ids["ID1"], stands[id] = id, "ID1"
					case i == 3:
						ids["ID2"], stands[id] = id, "ID2"
					case got.answer.Data.ID != 0:
						stands[fmt.Sprint(got.answer.Data.ID)] = fmt.Sprint("C", i)
					}
				}
				for hash, want := range hashesAfter {
					if hash == "counters" && round > 0 {
						continue // a repeated comment draws a number that it does not need
					}
					held, err := n.memory.All(t.Context(), hash)
					if got := named(held, stands); err != nil || !maps.Equal(got, want) {
						t.Errorf("the hash %s holds %v (%v)\nwant %v", hash, got, err, want)
					}
					if got := named(n.shown(hash), stands); !maps.Equal(got, want) {
						t.Errorf("GET /hashes/%s shows %v\nwant %v", hash, got, want)
					}
				}
			}
		})
	}
}

var (
	numbers = regexp.MustCompile(`\b[0-9]+\b`)
	digests = regexp.MustCompile(`"[0-9a-f]{64}"`)
)

// named puts names in the place of the numbers that differ from run to run.
func named(hash, stands map[string]string) map[string]string {
	name := func(s string) string {
		return numbers.ReplaceAllStringFunc(digests.ReplaceAllString(s, `"OF"`), func(n string) string {
			return cmp.Or(stands[n], n)
		})
	}
	out := make(map[string]string, len(hash))
	for field, value := range hash {
		out[name(field)] = name(value)
	}
	return out
}

// shown is a hash as the store's server shows it.
func (n *town) shown(hash string) map[string]string {
	n.t.Helper()
	resp, err := n.server.Client().Get(n.server.URL + "/hashes/" + hash)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	var all map[string]string
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(b, &all) != nil {
		n.t.Fatalf("GET /hashes/%s: %d %s (%v), want a JSON object of strings", hash, resp.StatusCode, b, err)
	}
	return all
}

func TestServicesOfTheSampleMayShareTheHashes(t *testing.T) {
	n := newTown(t, social.Roles()...)
	// As the sample's Python writes them: HSET users, HSET users_data.
	taken, err := n.memory.Add(t.Context(),
		social.Field{Hash: "users", Name: "py@b.c", Value: "7434029"},
		social.Field{Hash: "users_data", Name: "7434029", Value: `{"email": "py@b.c", "language": "ZH", "country": "CN"}`})
	if taken != nil || err != nil {
		t.Fatal(taken, err)
	}
	if got := n.must(registerPath, "", `{"email":"py@b.c"}`); got.body != `{"code":10001,"data":{"u_id":"7434029"},"message":"already registered."}` {
		t.Errorf("an email that Python registered: %s", got.body)
	}
	if got := n.must(commentPath, "", `{"u_id":"7434029","article_u_id":"7434029","content":"x"}`); got.answer.Code != 0 {
		t.Errorf("a comment of somebody whom Python registered: %s", got.body)
	}
	if _, pushes := n.kept(); len(pushes) != 1 || pushes[0].Country != "CN" {
		t.Errorf("pushes %+v, want one to CN", pushes)
	}
}

func TestWhatPythonAloneCanReadIsAnErrorThatNamesIt(t *testing.T) {
	n := newTown(t)
	if _, err := n.memory.Add(t.Context(), social.Field{Hash: "users_data", Name: "7", Value: `{"a": NaN}`}); err != nil {
		t.Fatal(err)
	}
	_, err := n.store.User(t.Context(), "7")
	if !errors.Is(err, muster.Internal) || !strings.Contains(err.Error(), "7 of the hash users_data cannot be read") {
		t.Errorf("error %v, want internal that names the field", err)
	}
}

func TestAddSetsAllOrNothing(t *testing.T) {
	n := newTown(t)
	remote := social.NewRemote(n.server.URL)
	defer remote.Close()
	for name, h := range map[string]social.Hashes{"memory": new(social.Memory), "store server": remote} {
		ctx := t.Context()
		a, b, other := social.Field{"h", "a/..", "1"}, social.Field{"h", "", ""}, social.Field{"g", "c", "3"}
		if taken, err := h.Add(ctx, a, b); taken != nil || err != nil {
			t.Errorf("%s: the first Add: %v, %v", name, taken, err)
		}
		again := social.Field{"h", "a/..", "2"}
		if taken, err := h.Add(ctx, other, again); err != nil || taken == nil || *taken != a {
			t.Errorf("%s: Add of a field that exists: %v, %v; want %v", name, taken, err, a)
		}
		if _, ok, err := h.Get(ctx, "g", "c"); ok || err != nil {
			t.Errorf("%s: the field beside it exists: %v, %v", name, ok, err)
		}
		if value, ok, err := h.Get(ctx, "h", ""); value != "" || !ok || err != nil {
			t.Errorf("%s: an empty field with an empty value: %q, %v, %v", name, value, ok, err)
		}
		if all, err := h.All(ctx, "h"); err != nil || !maps.Equal(all, map[string]string{"a/..": "1", "": ""}) {
			t.Errorf("%s: the hash is %v, %v", name, all, err)
		}
		if all, err := h.All(ctx, "nothing"); err != nil || all == nil || len(all) != 0 {
			t.Errorf("%s: a hash that nobody wrote is %v, %v; want an empty one", name, all, err)
		}
	}
}

func TestNextGivesEachNumberOnce(t *testing.T) {
	n := newTown(t)
	remote := social.NewRemote(n.server.URL)
	defer remote.Close()
	for name, h := range map[string]social.Hashes{"memory": new(social.Memory), "store server": remote} {
		var mu sync.Mutex
		var drawn []int64
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range 10 {
					v, err := h.Next(t.Context(), "counters", "x", 100)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					drawn = append(drawn, v)
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		slices.Sort(drawn)
		if drawn = slices.Compact(drawn); len(drawn) != 40 || drawn[0] != 100 || drawn[39] != 139 {
			t.Errorf("%s: drawn %v, want 100 to 139", name, drawn)
		}
		if v, err := h.Next(t.Context(), "counters", "x", 500); v != 500 || err != nil {
			t.Errorf("%s: %d, %v; want the floor, 500", name, v, err)
		}
		if _, err := h.Add(t.Context(), social.Field{"counters", "y", "many"}); err != nil {
			t.Error(err)
		}
		if _, err := h.Next(t.Context(), "counters", "y", 0); !errors.Is(err, muster.Internal) {
			t.Errorf("%s: after a word: %v, want internal", name, err)
		}
	}
}

func TestHashesCannotBeWrittenWhereTheyAreShown(t *testing.T) {
	n := newTown(t)
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		req, _ := http.NewRequest(method, n.server.URL+"/hashes/users", strings.NewReader(`{"a":"1"}`))
		resp, err := n.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s /hashes/users: %d, want 405", method, resp.StatusCode)
		}
	}
	if all := n.shown("users"); len(all) != 0 {
		t.Errorf("users are %v, want none", all)
	}
}

func TestBodyThatGrowsOnItsWayIsKeptWhole(t *testing.T) {
	n := newTown(t, social.RegisterRole, social.CommentsRole)
	for _, c := range []string{"<", "é", "小", `"`, `\u0001`} {
		name := strings.Repeat(c, 60_000/len(c))
		if c == `"` {
			name = strings.Repeat(`\"`, 30_000)
		}
		got := n.must(registerPath, "", `{"email":"`+fmt.Sprintf("%x", c)+`","name":"`+name+`"}`)
		if got.status != http.StatusOK || len(n.shown("users_data")[got.answer.Data.UserID]) < 30_000 {
			t.Errorf("a name of %q: %d %.200s", c, got.status, got.body)
		}
	}
}

func TestBodyThatIsNotUTF8IsRefused(t *testing.T) {
	n := newTown(t, social.CommentsRole)
	if got := n.must(registerPath, "", "{\"email\":\"\xff\"}"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "not UTF-8") {
		t.Errorf("%d %s, want a 400 that says so", got.status, got.body)
	}
}
