package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

type newToken struct {
	Status int
	Cache  string `header:"Cache-Control"`
	Body   nativewire.NewToken
}

// routeTokens adds making, listing and revoking tokens. What names one token's rights tells nothing about its text.
func (a *API) routeTokens(api huma.API) {
	add(a, api, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: pathTokens, Tags: []string{"access"}, Responses: problems(),
		Summary: "Who may do what, without the tokens themselves",
	}, to(access.Admin), a.listTokens)
	add(a, api, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: pathTokens, Tags: []string{"access"}, Responses: problems(),
		Summary: "Make a token, or give a client certificate rights", DefaultStatus: http.StatusCreated,
		Description: "The token is in the answer, once, and kept as a hash alone. With certificate there is none: the name of a verified client certificate (URI, DNS name, or the common name of one without other names) is what is shown.",
	}, to(access.Admin), a.createToken)
	add(a, api, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: pathToken, Tags: []string{"access"}, Responses: problems(),
		Summary: "Take a token's rights away, at once", DefaultStatus: http.StatusNoContent,
		Description: "Streams that it holds end.",
	}, to(access.Admin), a.revokeToken)
}

func (a *API) listTokens(context.Context, *struct{}) (*struct {
	Body nativewire.TokenList
}, error) {
	out := new(struct {
		Body nativewire.TokenList
	})
	tokens := a.store.Tokens()
	out.Body.Since = a.store.State().Started.UTC()
	out.Body.Items = make([]nativewire.Token, len(tokens))
	for i, t := range tokens {
		out.Body.Items[i] = shownToken(t)
		out.Body.Items[i].Used = a.opt.Door.LastUse(t.Name)
	}
	return out, nil
}

func (a *API) createToken(ctx context.Context, in *struct {
	Operator
	Body nativewire.TokenWish
}) (*newToken, error) {
	rights, err := access.ParseRights(in.Body.Allow)
	if err != nil {
		return nil, fail(err)
	}
	if rights.Admin() && in.Body.Namespace != "" {
		return nil, fail(invalid("admin is of the server as a whole; for namespace %s name read, register and operate", in.Body.Namespace))
	}
	t := store.Token{
		Name: in.Body.Name, Certificate: in.Body.Certificate, Allow: rights.List(), Namespace: in.Body.Namespace, Why: in.Why,
		Created: time.Now(),
	}
	if in.Body.Expires < 0 || time.Duration(in.Body.Expires) > maxLife {
		return nil, fail(invalid("expires %v is not a time from now of at most %v", time.Duration(in.Body.Expires), maxLife))
	}
	if in.Body.Expires > 0 {
		t.Expires = t.Created.Add(time.Duration(in.Body.Expires) + time.Second - 1).Truncate(time.Second) // not a moment sooner than was asked for
	}
	text := ""
	if t.Certificate == "" {
		text, t.Hash = access.NewToken()
	}
	if err := a.store.AddToken(t, author(whoAsks(ctx), "create-token", in.Operator)); err != nil {
		return nil, fail(err)
	}
	a.opt.Door.Refresh()
	out := &newToken{Status: http.StatusCreated, Cache: "no-store", Body: nativewire.NewToken{Text: text}}
	for _, kept := range a.store.Tokens() {
		if muster.EqualFold(kept.Name, t.Name) {
			out.Body.Token = shownToken(kept)
		}
	}
	return out, nil
}

// maxLife is the longest time for which a token that expires can be made.
const maxLife = 10 * 366 * 24 * time.Hour

func (a *API) revokeToken(ctx context.Context, in *struct {
	Name string `path:"name" maxLength:"128" doc:"Of the token"`
	Operator
}) (*struct{}, error) {
	if err := a.store.RemoveToken(in.Name, author(whoAsks(ctx), "revoke-token", in.Operator)); err != nil {
		return nil, fail(err)
	}
	a.opt.Door.Refresh()
	return nil, nil
}

func shownToken(t *store.Token) nativewire.Token {
	return nativewire.Token{
		Name: t.Name, Allow: t.Allow, Namespace: t.Namespace, Certificate: t.Certificate, By: t.By, Why: t.Why,
		Created: t.Created.UTC(), Expires: t.Expires.UTC(),
	}
}
