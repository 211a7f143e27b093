package social_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/examples/social"
)

const (
	registerPath = "/api/v1/register"
	commentPath  = "/api/v1/comment"
)

// The sample's own table of requests and answers, in its order; ID stands for the id of the user just registered, and N for
// the id of the comment.
func TestAnswersAreTheSamples(t *testing.T) {
	n := newTown(t, social.Roles()...)
	const first = `{"timestamp":1553652949,"email":"nameko@nameko.com","name":"xiaohua","language":"ZH","country":"CN"}`
	reg := n.must(registerPath, "", first)
	id := reg.answer.Data.UserID
	if num, err := strconv.Atoi(id); err != nil || num < 7000000 || num > 9999999 {
		t.Fatalf("u_id %q, want a number from 7000000 to 9999999 as a string", id)
	}
	for i, c := range []struct {
		name, path, body, want string
		status                 int
	}{
		1:  {"register", registerPath, `{"email":"nameko2@nameko.com","language":"ZH","country":"CN"}`, `{"code":0,"data":{"u_id":"NEW"},"message":""}`, 200},
		2:  {"the same email again", registerPath, first, `{"code":10001,"data":{"u_id":"ID"},"message":"already registered."}`, 200},
		3:  {"no email", registerPath, `{"name":"x"}`, `{"code":10000,"data":"","message":"email is null."}`, 200},
		4:  {"an empty email", registerPath, `{"email":""}`, `{"code":10000,"data":"","message":"email is null."}`, 200},
		5:  {"comment", commentPath, `{"timestamp":1,"u_id":"ID","content":"very good.","article_id":100,"article_u_id":ID}`, `{"code":0,"data":{"comment_id":N},"message":""}`, 200},
		6:  {"reply", commentPath, `{"u_id":"ID","content":"thanks","article_id":100,"article_u_id":"ID","parent_comment_id":7}`, `{"code":0,"data":{"comment_id":N},"message":""}`, 200},
		7:  {"no author", commentPath, `{"u_id":"ID","content":"x"}`, `{"code":10003,"data":"","message":"article_u_id or u_id is null."}`, 200},
		8:  {"no commenter", commentPath, `{"article_u_id":"ID","u_id":0}`, `{"code":10003,"data":"","message":"article_u_id or u_id is null."}`, 200},
		9:  {"an unknown commenter", commentPath, `{"u_id":"1","article_u_id":"ID"}`, `{"code":10004,"data":"","message":"You need to register to comment."}`, 200},
		10: {"an unknown author", commentPath, `{"u_id":"ID","article_u_id":"1","content":"x"}`, `{"code":0,"data":{"comment_id":N},"message":""}`, 200},
		11: {"a body that is null", registerPath, `null`, ``, 400},
		12: {"a body that is a list", commentPath, `[]`, ``, 400},
		13: {"a body that is not JSON", commentPath, `{"u_id"`, ``, 400},
		14: {"an email that is an object", registerPath, `{"email":{"a":1}}`, ``, 400},
		15: {"a long email", registerPath, `{"email":"` + strings.Repeat("x", 400) + `"}`, ``, 400},
		16: {"a huge body", registerPath, `{"email":"` + strings.Repeat("x", 100_000) + `"}`, ``, 413},
	} {
		if i == 0 {
			continue
		}
		got := n.must(c.path, "", strings.ReplaceAll(c.body, "ID", id))
		want := strings.ReplaceAll(c.want, `"ID"`, `"`+id+`"`)
		want = strings.ReplaceAll(want, "NEW", got.answer.Data.UserID)
		want = strings.ReplaceAll(want, "N}", fmt.Sprint(got.answer.Data.ID)+"}")
		if got.status != c.status || c.status == 200 && got.body != want {
			t.Errorf("row %d, %s: %d %s, want %d %s", i, c.name, got.status, got.body, c.status, want)
		}
		if c.status != 200 && !strings.Contains(got.body, `"detail":`) {
			t.Errorf("row %d, %s: %s does not say what is wrong", i, c.name, got.body)
		}
	}
	resp, err := n.web.Get("http://comments" + registerPath)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", resp.StatusCode)
	}
	if resp, err = n.web.Post("http://comments"+registerPath, "text/plain", strings.NewReader(first)); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a body that is not called JSON: %d, want 400", resp.StatusCode)
	}
	want := social.Push{UserID: id, Language: "ZH", Country: "CN", Content: "very good."}
	if _, got := n.kept(); len(got) != 2 || !slices.Contains(got, want) {
		t.Errorf("pushes %+v, want two, to a reader of ZH in CN", got)
	}
}

func TestUserIsWhatWasRegistered(t *testing.T) {
	n := newTown(t, social.Roles()...)
	const sent = `{"country":"CN","email":"a@b.c","language":"ZH"}`
	id := n.must(registerPath, "", sent).answer.Data.UserID
	for _, c := range []struct{ id, want string }{
		{id, `{"code":0,"data":` + sent + `,"message":""}`},
		{"1", `{"code":10004,"data":"","message":"not registered."}`},
	} {
		resp, err := n.web.Get("http://comments/api/v1/users/" + c.id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || strings.TrimSpace(string(got)) != c.want {
			t.Errorf("user %s: %s (%v), want %s", c.id, got, err, c.want)
		}
	}
}

func TestAuthorWithoutALanguageIsToldAllTheSame(t *testing.T) {
	n := newTown(t, social.Roles()...)
	id := n.must(registerPath, "", `{"email":"a@b.c"}`).answer.Data.UserID
	if got := n.must(commentPath, "", `{"u_id":"`+id+`","article_u_id":"`+id+`","content":"x"}`); got.status != 200 || got.answer.Code != 0 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if _, got := n.kept(); len(got) != 1 {
		t.Errorf("%d pushes, want 1", len(got))
	}
}

func TestCommentIsKeptWhenNobodyCanPush(t *testing.T) {
	n := newTown(t, social.RegisterRole, social.CommentsRole)
	id := n.must(registerPath, "", `{"email":"a@b.c"}`).answer.Data.UserID
	body := `{"u_id":"` + id + `","article_u_id":"` + id + `","content":"x"}`
	if got := n.must(commentPath, "k", body); got.status != 200 || got.answer.Code != 0 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	n.start(social.PushRole)
	n.must(commentPath, "k", body)
	if comments, pushes := n.kept(); len(comments) != 1 || len(pushes) != 1 {
		t.Errorf("%d comments and %d pushes, want the push caught up on by the repeated request", len(comments), len(pushes))
	}
}

func TestServicesThatAreGoneAreA503(t *testing.T) {
	n := newTown(t, social.CommentsRole)
	got := n.must(registerPath, "", `{"email":"a@b.c"}`)
	if got.status != 503 || !strings.Contains(got.body, "none is registered") {
		t.Errorf("got %d %s, want 503 with the reason", got.status, got.body)
	}
}

func TestOneEmailGetsOneIDHoweverManyAsk(t *testing.T) {
	n := newTown(t, social.RegisterRole, social.RegisterRole, social.CommentsRole, social.CommentsRole)
	var mu sync.Mutex
	codes, ids := map[int]int{}, map[string]bool{}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			got, err := n.post(registerPath, "", `{"email":"a@b.c"}`)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			codes[got.answer.Code]++
			ids[got.answer.Data.UserID] = true
		})
	}
	callers.Wait()
	if len(ids) != 1 || codes[0] != 1 || codes[10001] != 15 {
		t.Errorf("ids %v, codes %v; want one id, one 0 and fifteen 10001", ids, codes)
	}
}

func TestOneKeyGetsOneAnswerHoweverManyAsk(t *testing.T) {
	n := newTown(t, append(social.Roles(), social.Roles()...)...)
	id := n.must(registerPath, "reg", `{"email":"a@b.c"}`).answer.Data.UserID
	if again := n.must(registerPath, "reg", `{"email":"a@b.c"}`); again.answer.Code != 0 || again.answer.Data.UserID != id {
		t.Errorf("the same registration again: %s, want the first answer", again.body)
	}
	var mu sync.Mutex
	bodies := map[string]int{}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			got, err := n.post(commentPath, "one", `{"u_id":"`+id+`","article_u_id":"`+id+`","content":"x"}`)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			bodies[got.body]++
		})
	}
	callers.Wait()
	if comments, pushes := n.kept(); len(bodies) != 1 || len(comments) != 1 || len(pushes) != 1 {
		t.Errorf("answers %v, %d comments, %d pushes; want one of each", bodies, len(comments), len(pushes))
	}
	if got := n.must(commentPath, "one", `{"u_id":"`+id+`","article_u_id":"`+id+`","content":"other"}`); got.status != 409 {
		t.Errorf("another comment under the same key: %d %s, want 409", got.status, got.body)
	}
	if got := n.must(commentPath, strings.Repeat("k", 300), `{}`); got.status != 400 {
		t.Errorf("a long key: %d, want 400", got.status)
	}
}

// mortal is an instance of a service that a test can kill without notice.
func (n *town) mortal(service string, handler http.Handler) (kill func()) {
	n.t.Helper()
	s := httptest.NewServer(handler)
	kill = sync.OnceFunc(func() {
		s.Config.Close() // at once, with every connection
		s.Close()
	})
	n.t.Cleanup(kill)
	addr := s.Listener.Addr().String()
	in := muster.Instance{Service: service, Endpoints: []muster.Endpoint{{Scheme: "http", Address: addr}}}
	if _, err := n.registry.Register(n.t.Context(), in); err != nil {
		n.t.Fatal(err)
	}
	n.find(service, addr)
	return kill
}

func TestKillsLoseNothingAndDoubleNothing(t *testing.T) {
	n := newTown(t, social.Roles()...)
	client := muster.NewClient(n.registry, nil)
	calls := social.NewHTTPCaller(client)
	defer func() { calls.Close(); client.Close() }()
	kills := []func(){
		n.mortal(social.CommentsRole, social.NewAPI(n.store, calls, nil)),
		n.mortal(social.RegisterRole, social.NewRegister(n.store).Handler()),
		n.mortal(social.PushRole, social.NewPush(n.store, calls).Handler()),
	}
	id := n.must(registerPath, "reg", `{"email":"a@b.c"}`).answer.Data.UserID

	const callers, each = 4, 60
	var mu sync.Mutex
	acknowledged := map[int64]string{}
	done := make(chan struct{}, callers*each)
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d-%d", c, i)
				got, err := n.post(commentPath, key, `{"u_id":"`+id+`","article_u_id":"`+id+`","content":"`+key+`"}`)
				if err != nil || got.status != 200 {
					t.Errorf("comment %s: %v %d %s", key, err, got.status, got.body)
				}
				mu.Lock()
				if other, twice := acknowledged[got.answer.Data.ID]; twice {
					t.Errorf("comments %s and %s have the same id", key, other)
				}
				acknowledged[got.answer.Data.ID] = key
				mu.Unlock()
				done <- struct{}{}
			}
		})
	}
	for _, kill := range kills {
		for range callers * each / 5 {
			<-done
		}
		kill()
	}
	group.Wait()

	stored, err := n.store.Comments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range stored {
		if acknowledged[c.ID] != c.Content {
			t.Errorf("comment %d %q is stored and was acknowledged as %q", c.ID, c.Content, acknowledged[c.ID])
		}
	}
	if len(stored) != callers*each {
		t.Errorf("%d comments are stored, %d were acknowledged", len(stored), callers*each)
	}
	if _, pushes := n.kept(); len(pushes) != callers*each {
		t.Errorf("%d pushes, want %d", len(pushes), callers*each)
	}
}

func TestMethodsAndArgumentsAreChecked(t *testing.T) {
	n := newTown(t, social.RegisterRole)
	client := muster.NewClient(n.registry, nil)
	calls := social.NewHTTPCaller(client)
	defer func() { calls.Close(); client.Close() }()
	ctx := t.Context()
	if _, err := calls.Call(ctx, "register", "nonsense"); !errors.Is(err, muster.NotFound) {
		t.Errorf("an unknown method: %v, want not_found", err)
	}
	if _, err := calls.Call(ctx, "register", "check_registered"); !errors.Is(err, muster.Invalid) || !strings.Contains(err.Error(), "0 arguments, want 1") {
		t.Errorf("no argument: %v, want invalid that counts them", err)
	}
	if b, err := calls.Call(ctx, "register", "check_registered", "1"); err != nil || string(b) != "null" {
		t.Errorf("an unknown user: %s, %v; want null", b, err)
	}
	b, err := calls.Call(ctx, "register", "register", "a@b.c", map[string]string{"email": "a@b.c", "language": "ZH"})
	if err != nil {
		t.Fatal(err)
	}
	var pair []string
	if json.Unmarshal(b, &pair) != nil || len(pair) != 2 || pair[1] != "" {
		t.Fatalf("register answered %s", b)
	}
	if b, err = calls.Call(ctx, "register", "check_registered", pair[0]); err != nil || string(b) != `{"email":"a@b.c","language":"ZH"}` {
		t.Errorf("the user is %s, %v", b, err)
	}
}

func TestAWrongRoleOrStoreSaysSo(t *testing.T) {
	err := social.Run(t.Context(), "juggler", social.Options{Registry: "local:", Store: "http://127.0.0.1:1"})
	if !errors.Is(err, muster.Invalid) || !strings.Contains(err.Error(), "juggler") {
		t.Errorf("error %v, want invalid", err)
	}
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	remote := social.NewRemote(web.URL)
	defer remote.Close()
	if _, err := social.NewStore(remote).Comments(t.Context()); err == nil || !strings.Contains(err.Error(), "is this a store's address?") {
		t.Errorf("error %v, want a question about the address", err)
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	store := httptest.NewServer(social.NewStoreServer(new(social.Memory)))
	defer store.Close()
	ctx, cancel := context.WithCancel(t.Context())
	err := social.Run(ctx, social.RegisterRole, social.Options{
		Registry: "local:", Store: store.URL, Drain: -1, ID: "r1", Zone: "a",
		Started: func(reg *muster.Registration) {
			defer cancel()
			in := reg.Instance()
			resp, err := http.Post(in.Endpoints[0].String()+"/rpc/check_registered", "application/json", strings.NewReader(`{"args":["1"]}`))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if in.ID != "r1" || in.Zone != "a" || resp.StatusCode != 200 {
				t.Errorf("instance %+v answered %d", in, resp.StatusCode)
			}
		},
	})
	if err != nil {
		t.Errorf("a clean stop returned %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
