package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

func (a *API) setOverride(ctx context.Context, in *struct {
	InstancePath
	Operator
	Body nativewire.Override
}) (*struct{}, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	status, err := muster.ParseStatus(in.Body.Status)
	if err != nil {
		return nil, fail(err)
	}
	return nil, a.override(k, whoAsks(ctx), in.Operator, status)
}

func (a *API) deleteOverride(ctx context.Context, in *struct {
	InstancePath
	Operator
}) (*struct{}, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	return nil, a.override(k, whoAsks(ctx), in.Operator, muster.Unknown)
}

// override sets the status override; Unknown removes it. The audit comes first, so that nothing happens unrecorded.
func (a *API) override(k muster.Key, p *access.Principal, who Operator, status muster.Status) error {
	detail := "status override " + status.String()
	if status == muster.Unknown {
		detail = "status override removed"
	}
	if err := a.audit(k, p, "override", who, detail); err != nil {
		return fail(err)
	}
	_, err := a.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return nil, notFound(k)
		}
		if old.Instance.Override == status {
			return old, nil
		}
		in := old.Reported().Clone()
		in.Override = status
		return old.Next(in), nil
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// audit records an operator's act on an instance that is there.
func (a *API) audit(k muster.Key, p *access.Principal, op string, who Operator, detail string) error {
	rec := a.store.Get(k)
	if rec == nil {
		return notFound(k)
	}
	switch {
	case detail != "":
	case rec.Static: // nobody registers it again by itself
		detail = nativewire.StaticDetail(rec.Reported(), nil)
	default:
		detail = fmt.Sprintf("was %v at %v", rec.Instance.Status, rec.Instance.Endpoints)
	}
	return a.store.Record(muster.AuditRecord{
		At: time.Now(), Op: op, Key: rec.Instance.Key(), Proven: p.String(), Claimed: who.By, Why: who.Why, Detail: detail,
	})
}

func heldByAnother(k muster.Key) error {
	return &muster.Error{
		Service: k.Service, Instance: k.ID, Code: muster.Conflict,
		Err: errors.New("another owner has registered this instance since and holds it now"),
	}
}
