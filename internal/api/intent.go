package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
)

// Guard is the revision that a write to an intent was made for.
type Guard struct {
	IfMatch string `header:"If-Match" maxLength:"32" doc:"The intent's rev, which is also its ETag; 0 when there is none yet. Required: 428 without, 412 when it differs"`
}

type intentAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The rev, quoted"`
	Body   *nativewire.Intent
}

// routeIntent adds reading and writing what operators want.
func (a *API) routeIntent(api huma.API) {
	add(a, api, huma.Operation{
		OperationID: "get-intent", Method: http.MethodGet, Path: pathIntent, Tags: []string{"govern"}, Responses: problems(),
		Summary:     "What an operator wants for an instance",
		Description: "The instance need not be registered. 404 when there is none.",
	}, to(access.Read), a.getIntent)
	add(a, api, huma.Operation{
		OperationID: "set-intent", Method: http.MethodPut, Path: pathIntent, Tags: []string{"govern"}, Responses: problems(),
		Summary: "Say what is wanted for an instance",
		Description: "Replaces the intent whose rev is in If-Match. Durable and audited before the answer. One that asks for nothing removes it (204). " +
			"One with an end lies over the one without: at its until that one stands again.",
	}, to(access.Operate), a.setIntent)
	add(a, api, huma.Operation{
		OperationID: "delete-intent", Method: http.MethodDelete, Path: pathIntent, Tags: []string{"govern"}, Responses: problems(),
		Summary: "Want nothing any more", DefaultStatus: http.StatusNoContent,
	}, to(access.Operate), a.deleteIntent)
}

func (a *API) getIntent(_ context.Context, in *struct{ InstancePath }) (*intentAnswer, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	it := a.store.Intent(k)
	if it == nil {
		return nil, fail(&muster.Error{Service: k.Service, Instance: k.ID, Code: muster.NotFound, Err: errors.New("no intent is set")})
	}
	return intentOK(it), nil
}

func (a *API) setIntent(ctx context.Context, in *struct {
	InstancePath
	Guard
	Operator
	Body nativewire.Wish
}) (*intentAnswer, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	return a.writeIntent(k, whoAsks(ctx), in.Guard, in.Body.Intent(), in.Operator)
}

func (a *API) deleteIntent(ctx context.Context, in *struct {
	InstancePath
	Guard
	Operator
}) (*intentAnswer, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	return a.writeIntent(k, whoAsks(ctx), in.Guard, muster.Intent{}, in.Operator)
}

func (a *API) writeIntent(k muster.Key, p *access.Principal, g Guard, it muster.Intent, who Operator) (*intentAnswer, error) {
	var err error
	if it.Rev, err = g.rev(); err != nil {
		return nil, err
	}
	stored, err := a.store.SetIntent(k, it, author(p, "intent", who))
	if muster.CodeOf(err) == muster.Conflict {
		return nil, failWith(http.StatusPreconditionFailed, err)
	}
	if err != nil {
		return nil, fail(err)
	}
	if stored.Empty() {
		return &intentAnswer{Status: http.StatusNoContent}, nil
	}
	return intentOK(stored), nil
}

// rev reads If-Match: a quoted or bare number. "*" would guard nothing, so it is refused.
func (g Guard) rev() (uint64, error) {
	if g.IfMatch == "" {
		return 0, failWith(http.StatusPreconditionRequired, invalid(
			"If-Match is missing: send the intent's rev as GET gave it, or 0 if there is none, so that nobody's change is lost"))
	}
	rev, err := strconv.ParseUint(strings.Trim(g.IfMatch, `"`), 10, 64)
	if err != nil {
		return 0, fail(invalid("If-Match %q is not an intent's rev", g.IfMatch))
	}
	return rev, nil
}

func intentOK(it *muster.Intent) *intentAnswer {
	return &intentAnswer{Status: http.StatusOK, ETag: fmt.Sprintf(`"%d"`, it.Rev), Body: nativewire.FromIntent(it)}
}
