package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
)

// The paths of the API.
const (
	root          = "/api/v1"
	pathStatus    = root + "/status"
	pathOpenAPI   = root + "/openapi.json"
	pathDocs      = root + "/docs"
	pathSpaces    = root + "/namespaces"
	pathSpace     = pathSpaces + "/{namespace}"
	pathAll       = pathSpace + "/instances"
	pathBeats     = pathSpace + "/heartbeats"
	pathWatch     = pathSpace + "/watch"
	pathAudit     = pathSpace + "/audit"
	pathServices  = pathSpace + "/services"
	pathService   = pathServices + "/{service}"
	pathInstances = pathService + "/instances"
	pathInstance  = pathInstances + "/{id}"
	pathIntent    = pathInstance + "/intent"
	pathTokens    = root + "/tokens"
	pathToken     = pathTokens + "/{name}"
	pathOverride  = pathInstance + "/override"
	pathBackup    = root + "/backup"

	pathPrometheus = root + "/sd/prometheus"
)

// route fills the mux and the OpenAPI document.
func (a *API) route() {
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	api := humago.New(a.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			Info: &huma.Info{
				Title:       "muster",
				Version:     a.opt.Version,
				Description: "Register, find, watch and govern instances. Problems are RFC 9457; lists are {items, revision, next}.",
			},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{humaProblem},
	})
	a.routeLists(api)
	a.routeInstance(api)
	a.routeIntent(api)
	a.routeAudit(api)
	a.routeStatus(api)
	a.routeTokens(api)
	a.routeHeartbeats(api)
	a.routeWatch(api)
	a.routePrometheus(api)
	a.routeBackup(api)

	describeProblem(api.OpenAPI())
	a.routeDocs(api.OpenAPI())
	a.routeRest(api.OpenAPI())
}

// routeDocs serves the OpenAPI document, which is complete by now, and the page that shows it.
func (a *API) routeDocs(doc *huma.OpenAPI) {
	document := sync.OnceValue(func() []byte { // for the first who asks: writing it is a third of a start
		text, err := json.Marshal(doc)
		if err != nil {
			panic("the OpenAPI document cannot be written: " + err.Error()) // a mistake in this package's types
		}
		return text
	})
	a.serve("GET "+pathOpenAPI, to(access.Visit), func(w http.ResponseWriter, _ *http.Request, _ *access.Principal) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document())
	})
	a.serve("GET "+pathDocs, to(access.Visit), serveDocs)
}

// routeRest answers what no route took: 405 with the methods that exist, else 404, as problems.
func (a *API) routeRest(doc *huma.OpenAPI) {
	methods := map[string][]string{pathOpenAPI: {"GET", "HEAD"}, pathDocs: {"GET", "HEAD"}}
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{
			"GET": item.Get, "PUT": item.Put, "POST": item.Post, "DELETE": item.Delete, "PATCH": item.Patch,
		} {
			if op != nil {
				methods[path] = append(methods[path], method)
			}
		}
		if item.Get != nil {
			methods[path] = append(methods[path], "HEAD")
		}
		slices.Sort(methods[path])
	}
	for path, m := range methods {
		allow := strings.Join(m, ", ")
		a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			writeError(w, failWith(http.StatusMethodNotAllowed, &muster.Error{
				Code: muster.Unsupported, Err: fmt.Errorf("%s is not possible here, only %s", r.Method, allow),
			}))
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &muster.Error{
			Code: muster.NotFound, Err: fmt.Errorf("no such page %q; %s lists what there is", r.URL.Path, pathDocs),
		})
	})
}
