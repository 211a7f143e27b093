package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
)

// routeAudit adds reading what operators did.
func (a *API) routeAudit(api huma.API) {
	add(a, api, huma.Operation{
		OperationID: "audit", Method: http.MethodGet, Path: pathAudit, Tags: []string{"govern"},
		Summary: "What operators did, newest first", Responses: problems(),
	}, to(access.Read), a.readAudit)
}

func (a *API) readAudit(ctx context.Context, in *struct {
	SpacePath
	Service string `query:"service" maxLength:"128" doc:"Only about this service"`
	Before  uint64 `query:"before" doc:"Only older than this id; the page before gave it in next"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Records on a page"`
}) (*struct {
	Body nativewire.List[nativewire.AuditRecord]
}, error) {
	if err := muster.CheckNamespace(in.Namespace); err != nil {
		return nil, fail(err)
	}
	records, next, err := a.auditFor(whoAsks(ctx), in.Namespace, in.Service, in.Before, in.Limit)
	if err != nil {
		return nil, fail(err)
	}
	out := new(struct {
		Body nativewire.List[nativewire.AuditRecord]
	})
	out.Body.Items = make([]nativewire.AuditRecord, len(records))
	for i, rec := range records {
		out.Body.Items[i] = nativewire.FromAudit(rec)
	}
	if next > 0 {
		out.Body.Next = strconv.FormatUint(next, 10)
	}
	return out, nil
}

// auditPages is how many pages are looked through for one that is full.
const auditPages = 10

// auditFor returns what p may read of a namespace's audit, and before which record it goes on, 0 when that was all. What was done to
// the server as a whole, such as to tokens, has no service; it is filed with a namespace, and only for those who may read the whole
// server: the names of others' tokens are none of a namespace's business.
func (a *API) auditFor(p *access.Principal, namespace, service string, before uint64, limit int) (out []muster.AuditRecord, next uint64, err error) {
	whole := reads(p, "")
	for range auditPages {
		page, err := a.store.Audit(namespace, service, before, limit)
		if err != nil {
			return nil, 0, err
		}
		for _, rec := range page {
			if !whole && rec.Key.Service == "" {
				continue
			}
			if out = append(out, rec); len(out) == limit {
				return out, rec.ID, nil
			}
		}
		if len(page) < limit {
			return out, 0, nil
		}
		before = page[len(page)-1].ID
	}
	return out, before, nil
}
