package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/test/golden"
)

// schema is as much of a JSON schema as promises are made of.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Format     string
	Enum       []any
	Items      *schema
	Properties map[string]*schema
	Additional any `json:"additionalProperties"`
	Required   []string
}

type content map[string]struct{ Schema *schema }

// TestPromisedNativeAPI holds paths, parameters, bodies and answers of the OpenAPI document to the list of docs/compatibility.md.
func TestPromisedNativeAPI(t *testing.T) {
	f := newFace(t, api.Options{})
	doc := decode[struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Required bool
				Schema   *schema
			}
			RequestBody *struct{ Content content }
			Responses   map[string]struct {
				Content content
				Headers map[string]any
			}
		}
		Components struct{ Schemas map[string]*schema }
	}](f, f.want(200, "GET", "/api/v1/openapi.json", "").Body)
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for path, methods := range doc.Paths {
		for method, op := range methods {
			at := strings.ToUpper(method) + " " + path
			say("%s", at)
			for _, p := range op.Parameters {
				required := map[bool]string{true: " required"}[p.Required]
				say("%s: %s %s %s%s", at, p.In, p.Name, p.Schema, required)
			}
			if op.RequestBody != nil {
				for kind, c := range op.RequestBody.Content {
					say("%s: takes %s %s", at, kind, c.Schema)
				}
			}
			for status, r := range op.Responses {
				say("%s: answers %s", at, status)
				for kind, c := range r.Content {
					say("%s: answers %s %s %s", at, status, kind, c.Schema)
				}
				for name := range r.Headers {
					say("%s: answers %s header %s", at, status, name)
				}
			}
		}
	}
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Properties {
			required := map[bool]string{true: " required"}[slices.Contains(s.Required, field)]
			say("%s.%s %s%s", name, field, p, required)
		}
	}
	golden.Lines(t, "testdata/promises/openapi.txt", lines)
}

// String writes a schema in one line.
func (s *schema) String() string {
	switch {
	case s == nil:
		return "nothing"
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Items != nil:
		return "list of " + s.Items.String()
	case len(s.Enum) > 0:
		return fmt.Sprintf("%v of %v", s.Type, s.Enum)
	}
	if more, ok := s.Additional.(map[string]any); ok {
		return fmt.Sprintf("object of %v", more["type"])
	}
	if s.Properties != nil {
		return fmt.Sprintf("object of %v", slices.Sorted(maps.Keys(s.Properties)))
	}
	return strings.TrimSpace(fmt.Sprintf("%v %s", s.Type, s.Format))
}
