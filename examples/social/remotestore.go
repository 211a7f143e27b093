package social

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

// RemoteStore is a Store in another process, behind [NewStoreServer].
type RemoteStore struct {
	url string
	web *http.Client
}

var _ Store = (*RemoteStore)(nil)

const (
	storeTimeout = 5 * time.Second
	maxStored    = 64 << 20 // bytes of one answer
)

// NewRemoteStore returns the store at a URL such as "http://127.0.0.1:7070".
func NewRemoteStore(url string) *RemoteStore {
	base := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return &RemoteStore{url: strings.TrimSuffix(url, "/"), web: &http.Client{Transport: base, Timeout: storeTimeout}}
}

// Close closes connections that no request uses.
func (s *RemoteStore) Close() { s.web.CloseIdleConnections() }

// User implements Store.
func (s *RemoteStore) User(ctx context.Context, id string) (json.RawMessage, error) {
	out, err := ask[userSaid](ctx, s, "user", userAsk{id})
	if string(out.Data) == "null" {
		out.Data = nil
	}
	return out.Data, err
}

// AddUser implements Store.
func (s *RemoteStore) AddUser(ctx context.Context, key, email string, data json.RawMessage) (string, bool, error) {
	out, err := ask[addUserSaid](ctx, s, "add_user", addUserAsk{key, email, data})
	return out.ID, out.Added, err
}

// AddComment implements Store.
func (s *RemoteStore) AddComment(ctx context.Context, key string, c Comment) (Comment, error) {
	return ask[Comment](ctx, s, "add_comment", addCommentAsk{key, c})
}

// AddPush implements Store.
func (s *RemoteStore) AddPush(ctx context.Context, key string, p Push) error {
	_, err := ask[nothing](ctx, s, "add_push", addPushAsk{key, p})
	return err
}

// Comments implements Store.
func (s *RemoteStore) Comments(ctx context.Context) ([]Comment, error) {
	return ask[[]Comment](ctx, s, "comments", nothing{})
}

// ask calls a method of the store's server.
func ask[Out any](ctx context.Context, s *RemoteStore, method string, in any) (Out, error) {
	var out Out
	fail := func(code muster.Code, err error) (Out, error) {
		var none Out
		return none, &muster.Error{Op: "store", Code: code, Err: fmt.Errorf("%s at %s: %w", method, s.url, err)}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fail(muster.Invalid, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/store/"+method, bytes.NewReader(body))
	if err != nil {
		return fail(muster.Invalid, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.web.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fail(muster.CodeOf(ctx.Err()), err)
		}
		return fail(muster.Unavailable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxStored))
	if err != nil {
		return fail(muster.Unavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		var p struct {
			Code   muster.Code
			Detail string
		}
		if json.Unmarshal(b, &p) != nil || p.Code == "" {
			p.Code, p.Detail = muster.Internal, fmt.Sprintf("answered %d %.100q: is this a store's address?", resp.StatusCode, b)
		}
		return fail(p.Code, fmt.Errorf("%s", p.Detail))
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return fail(muster.Internal, err)
	}
	return out, nil
}
