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

func (a *API) readAudit(_ context.Context, in *struct {
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
	records, err := a.store.Audit(in.Namespace, in.Service, in.Before, in.Limit)
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
	if n := len(records); n == in.Limit {
		out.Body.Next = strconv.FormatUint(records[n-1].ID, 10)
	}
	return out, nil
}
