package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/muster-go/muster/internal/access"
)

// rule says which act a request is. Every route is added with one, by [add], [API.byHand] or [API.serve], and none without.
type rule func(r *http.Request) access.Act

// to is the rule of a route whose path names what is done something to.
func to(verb access.Verb) rule {
	return func(r *http.Request) access.Act {
		return access.Act{Verb: verb, Namespace: r.PathValue("namespace"), Service: r.PathValue("service")}
	}
}

// inside is the rule of a route whose act only its handler knows, which has to ask the principal. It may be called by nobody
// who could not do anything at all.
func inside(*http.Request) access.Act { return access.Act{} }

// handle serves one request of somebody who may send it.
type handle func(w http.ResponseWriter, r *http.Request, p *access.Principal)

// serve adds a route to the mux.
func (a *API) serve(pattern string, act rule, serve handle) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		p, err := a.admit(r, act)
		if err != nil {
			writeError(w, err)
			return
		}
		serve(w, r, p)
	})
}

// byHand adds a route that huma describes but does not serve. One that takes no query refuses what huma would refuse.
func (a *API) byHand(api huma.API, op huma.Operation, act rule, serve handle) {
	api.OpenAPI().AddOperation(&op)
	if slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" }) {
		a.serve(op.Method+" "+op.Path, act, serve)
		return
	}
	a.serve(op.Method+" "+op.Path, act, func(w http.ResponseWriter, r *http.Request, p *access.Principal) {
		if q := r.URL.RawQuery; q != "" {
			name, _, _ := strings.Cut(q, "=")
			writeError(w, invalid("unknown query parameter %.40q: none is known here", name))
			return
		}
		serve(w, r, p)
	})
}

// add adds a route that huma serves. Its handler finds who asks with whoAsks.
func add[I, O any](a *API, api huma.API, op huma.Operation, act rule, serve func(context.Context, *I) (*O, error)) {
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		p, err := a.admit(r, act)
		if err != nil {
			writeError(w, err)
			return
		}
		next(huma.WithValue(ctx, principalKey{}, p))
	})
	huma.Register(api, op, serve)
}

// admit asks the door.
func (a *API) admit(r *http.Request, act rule) (*access.Principal, error) {
	what := act(r)
	if what == (access.Act{}) {
		return a.opt.Door.Who(r)
	}
	return a.opt.Door.Allow(r, what)
}

type principalKey struct{}

// whoAsks is who sent the request that huma serves under ctx.
func whoAsks(ctx context.Context) *access.Principal {
	p, _ := ctx.Value(principalKey{}).(*access.Principal)
	return p
}
