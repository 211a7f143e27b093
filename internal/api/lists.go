package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sort"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// MaxPage is the most items that a page may be asked for. Without a limit a list comes whole.
const MaxPage = 10_000

// SpacePath is the input of everything below a namespace.
type SpacePath struct {
	Namespace string `path:"namespace" maxLength:"128" doc:"Environment or tenant" example:"default"`
}

// PageQuery asks for a part of a list.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" doc:"Items on a page; absent: all"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"As the page before gave it in next"`
}

// Condition asks for an answer only if there is news.
type Condition struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128" doc:"An ETag; answers 304 when nothing has changed since"`
}

type listed[T any] struct {
	Status int
	ETag   string `header:"ETag" doc:"The revision, quoted"`
	Body   *nativewire.List[T]
}

// routeLists adds namespaces, services and instances.
func (a *API) routeLists(api huma.API) {
	add(a, api, huma.Operation{
		OperationID: "list-namespaces", Method: http.MethodGet, Path: pathSpaces, Tags: []string{"find"},
		Summary: "The namespaces that hold instances or intents", Responses: problems(),
	}, to(access.Visit), a.listNamespaces)
	add(a, api, huma.Operation{
		OperationID: "list-services", Method: http.MethodGet, Path: pathServices, Tags: []string{"find"},
		Summary: "The services of a namespace, summed up", Responses: problems(),
	}, to(access.Read), a.listServices)
	add(a, api, huma.Operation{
		OperationID: "get-service", Method: http.MethodGet, Path: pathService, Tags: []string{"find"},
		Summary: "One service, summed up", Responses: problems(),
	}, to(access.Read), a.getService)
	a.byHand(api, listOperation(api, "list-all-instances", pathAll, "Every instance of a namespace"), to(access.Read), a.listInstances)
	a.byHand(api, listOperation(api, "list-instances", pathInstances, "The instances of a service"), to(access.Read), a.listInstances)
}

func (a *API) listNamespaces(ctx context.Context, _ *struct{}) (*listed[nativewire.Namespace], error) {
	items := []nativewire.Namespace{}
	for _, name := range a.store.Namespaces() {
		if !reads(whoAsks(ctx), name) {
			continue
		}
		v := a.store.View(name)
		n := 0
		for _, c := range v.Counts {
			n += c
		}
		items = append(items, nativewire.Namespace{Namespace: name, Services: len(v.Services), Instances: n})
	}
	return &listed[nativewire.Namespace]{Status: http.StatusOK, Body: &nativewire.List[nativewire.Namespace]{Items: items}}, nil
}

func (a *API) listServices(_ context.Context, in *struct {
	SpacePath
	PageQuery
	Condition
}) (*listed[nativewire.Service], error) {
	if err := muster.CheckNamespace(in.Namespace); err != nil {
		return nil, fail(err)
	}
	v := a.store.View(in.Namespace)
	rev := revision(v.Epoch, v.Seq)
	out := &listed[nativewire.Service]{Status: http.StatusOK, ETag: strconv.Quote(rev)}
	if in.IfNoneMatch == out.ETag {
		out.Status = http.StatusNotModified
		return out, nil
	}
	services := v.Services
	if in.Cursor != "" {
		after := muster.Fold(in.Cursor)
		services = services[sort.Search(len(services), func(i int) bool { return muster.Fold(services[i].Name) > after }):]
	}
	out.Body = &nativewire.List[nativewire.Service]{Revision: rev}
	if in.Limit > 0 && in.Limit < len(services) {
		services = services[:in.Limit]
		out.Body.Next = services[in.Limit-1].Name
	}
	out.Body.Items = make([]nativewire.Service, len(services))
	for i, s := range services {
		out.Body.Items[i] = sum(v.Epoch, s)
	}
	return out, nil
}

func (a *API) getService(_ context.Context, in *struct {
	SpacePath
	Service string `path:"service" maxLength:"128"`
}) (*struct{ Body nativewire.Service }, error) {
	if err := muster.CheckNamespace(in.Namespace); err != nil {
		return nil, fail(err)
	}
	v := a.store.View(in.Namespace)
	s := v.Service(in.Service)
	if s == nil {
		return nil, fail(noService(in.Service))
	}
	return &struct{ Body nativewire.Service }{sum(v.Epoch, s)}, nil
}

// listInstances streams a service's instances, or the whole namespace's, from the records' fragments.
func (a *API) listInstances(w http.ResponseWriter, r *http.Request, _ *access.Principal) {
	q, err := parseListQuery(r)
	if err != nil {
		writeError(w, err)
		return
	}
	v := a.store.View(q.namespace)
	list := listing{services: v.Services, revision: revision(v.Epoch, v.Seq)}
	if q.service != "" {
		s := v.Service(q.service)
		if s == nil {
			writeError(w, noService(q.service))
			return
		}
		list = listing{services: []*store.Service{s}, revision: revision(v.Epoch, s.Seq)}
	}
	list.late = q.late
	if !q.late { // who is late changes without a revision
		w.Header().Set("ETag", strconv.Quote(list.revision))
	}
	if !q.late && r.Header.Get("If-None-Match") == strconv.Quote(list.revision) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	list.page(q.limit, q.cursor)
	a.writeListing(w, r, &list)
}

// reads reports whether somebody may read a namespace; "" is the server as a whole.
func reads(p *access.Principal, namespace string) bool {
	return p.May(access.Act{Verb: access.Read, Namespace: namespace}) == nil
}

// listQuery is what a list of instances is asked for.
type listQuery struct {
	namespace, service string
	limit              int  // 0: all
	late               bool // only those whose heartbeats are missing
	cursor             muster.Key
}

func parseListQuery(r *http.Request) (listQuery, error) {
	q := listQuery{namespace: r.PathValue("namespace"), service: r.PathValue("service")}
	if err := muster.CheckNamespace(q.namespace); err != nil {
		return q, err
	}
	if q.service != "" {
		if err := muster.CheckService(q.service); err != nil {
			return q, err
		}
	}
	if r.URL.RawQuery == "" {
		return q, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, invalid("the query is malformed: %w", err)
	}
	for name, v := range values {
		switch name {
		case "limit":
			q.limit, err = strconv.Atoi(v[0])
			if err != nil || q.limit < 1 || q.limit > MaxPage {
				return q, invalid("limit %q is not a number from 1 to %d", v[0], MaxPage)
			}
		case "late":
			if q.late, err = strconv.ParseBool(v[0]); err != nil {
				return q, invalid("late %q is neither true nor false", v[0])
			}
		case "cursor":
			if q.cursor, err = parseCursor(v[0]); err != nil {
				return q, err
			}
		default:
			return q, invalid("unknown query parameter %q", name)
		}
	}
	return q, nil
}

func sum(epoch uint64, s *store.Service) nativewire.Service {
	out := nativewire.Service{Service: s.Name, Instances: len(s.Records), Revision: revision(epoch, s.Seq)}
	for _, r := range s.Records {
		if r.Effective() == muster.Up {
			out.Up++
		}
	}
	return out
}

func noService(name string) error {
	return &muster.Error{Service: name, Code: muster.NotFound, Err: errors.New("no instance of this service is registered")}
}
