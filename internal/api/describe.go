package api

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster/internal/nativewire"
)

// problems declares the answer of every route that goes wrong; describeProblem fills it in.
func problems() map[string]*huma.Response {
	return map[string]*huma.Response{"default": {Description: "A problem (RFC 9457)"}}
}

// describeProblem puts our problem where the document says that a route can fail, and takes huma's own out.
func describeProblem(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas
	schema := schemas.Schema(reflect.TypeFor[nativewire.Problem](), true, "Problem")
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			for _, r := range []*huma.Response{op.Responses["default"]} {
				if r != nil {
					r.Content = map[string]*huma.MediaType{nativewire.ProblemType: {Schema: schema}}
				}
			}
		}
	}
}

// listOperation describes a list of instances, which is served by hand.
func listOperation(api huma.API, id, path, summary string) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: "GET", Path: path, Tags: []string{"find"}, Summary: summary, Responses: problems(),
		Description: "Complete and at one revision, which is also the ETag; in pages with limit and cursor.",
		Parameters: append(pathParams(path),
			queryParam("limit", "Items on a page; absent: all", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(float64(MaxPage))}),
			queryParam("late", "Only those whose heartbeats are missing, with since when; without ETag, as it changes with time alone", &huma.Schema{Type: huma.TypeBoolean}),
			queryParam("cursor", "As the page before gave it in next", &huma.Schema{Type: huma.TypeString}),
			&huma.Param{Name: "If-None-Match", In: "header", Description: "An ETag; answers 304 when nothing has changed since", Schema: &huma.Schema{Type: huma.TypeString}},
		),
	}
	op.Responses["200"] = answer(api, reflect.TypeFor[nativewire.List[nativewire.Instance]](), "The list")
	op.Responses["304"] = &huma.Response{Description: "Nothing has changed"}
	return op
}

// answer describes a JSON answer of that type.
func answer(api huma.API, t reflect.Type, description string) *huma.Response {
	return &huma.Response{
		Description: description,
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf(api, t)}},
	}
}

// body describes a JSON body of that type.
func body(api huma.API, t reflect.Type) *huma.RequestBody {
	return &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: schemaOf(api, t)}},
	}
}

func schemaOf(api huma.API, t reflect.Type) *huma.Schema {
	return api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// pathParams describes the {names} in a path.
func pathParams(path string) []*huma.Param {
	var out []*huma.Param
	for _, p := range []struct{ name, doc string }{
		{"namespace", "Environment or tenant"}, {"service", "Service; compared without ASCII case"},
		{"id", "Instance ID; percent-encode it, slashes too"},
	} {
		if strings.Contains(path, "{"+p.name+"}") {
			out = append(out, &huma.Param{Name: p.name, In: "path", Required: true, Description: p.doc, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	return out
}

func queryParam(name, doc string, s *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: s}
}
