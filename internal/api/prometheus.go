package api

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// Prometheus asks for at most this many namespaces and services in one request.
const (
	maxSpaces = 64
	maxScope  = nativewire.MaxScope
)

// targetGroup is what Prometheus takes from an HTTP service discovery: targets that share their labels.
// Source: Prometheus, documentation of http_sd.
type targetGroup struct {
	Targets []string          `json:"targets" nullable:"false" doc:"host:port"`
	Labels  map[string]string `json:"labels" doc:"What relabelling may use: __meta_muster_namespace, _service, _id, _zone, _version, _status, _scheme, and _label_KEY for metadata"`
}

// routePrometheus adds the list as Prometheus reads it.
func (a *API) routePrometheus(api huma.API) {
	op := huma.Operation{
		OperationID: "prometheus", Method: http.MethodGet, Path: pathPrometheus, Tags: []string{"find"}, Responses: problems(),
		Summary: "What there is, as Prometheus' http_sd reads it",
		Description: "One group for instances that differ in their address alone. Of several endpoints the first that is http or https counts, else the first. " +
			"__meta_muster_id is absent where the ID is the address.",
		Parameters: []*huma.Param{
			queryParam("namespace", "May be repeated; absent: default", &huma.Schema{Type: huma.TypeString}),
			queryParam("service", "Only this one; may be repeated", &huma.Schema{Type: huma.TypeString}),
			queryParam("status", "up: only what may get traffic; absent: all", &huma.Schema{Type: huma.TypeString, Enum: []any{"up", "all"}}),
			{Name: "If-None-Match", In: "header", Description: "An ETag; answers 304 when nothing has changed since", Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}
	schema := schemaOf(api, reflect.TypeFor[targetGroup]())
	op.Responses["200"] = &huma.Response{
		Description: "The targets",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: schema}}},
	}
	op.Responses["304"] = &huma.Response{Description: "Nothing has changed"}
	a.byHand(api, op, inside, a.prometheus)
}

// targetQuery is what Prometheus asks for.
type targetQuery struct {
	namespaces []string
	services   []string // none: all
	upOnly     bool
}

// prometheus writes the groups of one service after the other, so that no more than one is in memory.
func (a *API) prometheus(w http.ResponseWriter, r *http.Request, p *access.Principal) {
	q, err := parseTargetQuery(r.URL.RawQuery)
	for _, namespace := range q.namespaces {
		if err == nil {
			err = p.May(access.Act{Verb: access.Read, Namespace: namespace})
		}
	}
	if err != nil {
		writeError(w, err)
		return
	}
	services, etag := a.asked(&q)
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json") // Prometheus takes nothing else
	if r.Method == http.MethodHead {
		return
	}
	out := a.pieces(w)
	defer out.free()
	out.b = append(out.b, '[')
	first := true
	for _, s := range services {
		for _, g := range targets(s, q.upOnly) {
			text, err := json.Marshal(g)
			if err != nil {
				panic("a group of targets cannot be written: " + err.Error()) // strings alone
			}
			if !first {
				out.b = append(out.b, ',')
			}
			first = false
			out.b = append(out.b, text...)
			if out.flush(false) != nil {
				return
			}
		}
	}
	out.b = append(out.b, "]\n"...)
	_ = out.flush(true)
}

// asked returns the services that q means, each at one revision, and the tag of all of them.
func (a *API) asked(q *targetQuery) (services []*store.Service, etag string) {
	h := fnv.New64a()
	for _, namespace := range q.namespaces {
		v := a.store.View(namespace)
		if len(q.services) == 0 {
			services = append(services, v.Services...)
			fmt.Fprintf(h, "%s.%d/", namespace, v.Seq)
			continue
		}
		for _, name := range q.services {
			s, seq := v.Service(name), uint64(0)
			if s != nil {
				services, seq = append(services, s), s.Seq
			}
			fmt.Fprintf(h, "%s.%d/", namespace, seq)
		}
	}
	return services, strconv.Quote(strconv.FormatUint(a.store.Epoch(), 16) + "." + strconv.FormatUint(h.Sum64(), 16))
}

func parseTargetQuery(raw string) (targetQuery, error) {
	q := targetQuery{namespaces: []string{muster.DefaultNamespace}}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, invalid("the query is malformed: %w", err)
	}
	for name, v := range values {
		switch name {
		case "namespace":
			q.namespaces, err = folded(v, maxSpaces, muster.CheckNamespace)
		case "service":
			q.services, err = folded(v, maxScope, muster.CheckService)
		case "status":
			if q.upOnly = v[0] == "up"; !q.upOnly && v[0] != "all" {
				err = invalid("status %.40q is neither up nor all", v[0])
			}
		default:
			err = invalid("unknown query parameter %.40q", name)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

// folded returns names once each, sorted, whatever their case.
func folded(names []string, most int, check func(string) error) ([]string, error) {
	if len(names) > most {
		return nil, invalid("%d names, at most %d are allowed", len(names), most)
	}
	out := make([]string, len(names))
	for i, n := range names {
		if err := check(n); err != nil {
			return nil, err
		}
		out[i] = muster.Fold(n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// targets groups the instances of a service.
func targets(s *store.Service, upOnly bool) []targetGroup {
	var groups []targetGroup
	at := map[string]int{} // what appendKind says → index in groups
	var kind []byte
	for _, rec := range s.Records {
		in, status := rec.Instance, rec.Effective()
		if upOnly && status != muster.Up || len(in.Endpoints) == 0 {
			continue
		}
		e := scraped(in)
		kind = appendKind(kind[:0], in, e, status)
		i, known := at[string(kind)]
		if !known {
			i = len(groups)
			at[string(kind)] = i
			labels := metaLabels(in, e)
			labels[meta+"service"], labels[meta+"status"] = s.Name, status.String()
			groups = append(groups, targetGroup{Labels: labels})
		}
		groups[i].Targets = append(groups[i].Targets, e.Address)
	}
	return groups
}

// appendKind appends what two instances of a service with the same labels have in common, and others have not.
func appendKind(b []byte, in *muster.Instance, e muster.Endpoint, status muster.Status) []byte {
	id := in.ID
	if id == e.Address {
		id = ""
	}
	b = append(b, byte(status))
	for _, s := range [...]string{id, e.Scheme, in.Zone, in.Version} {
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
		b = append(b, s...)
	}
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		v := in.Metadata[k]
		b = append(strconv.AppendInt(b, int64(len(k)), 10), '=')
		b = append(append(strconv.AppendInt(append(b, k...), int64(len(v)), 10), ':'), v...)
	}
	return b
}

// scraped is the endpoint that Prometheus can talk to.
func scraped(in *muster.Instance) muster.Endpoint {
	for _, e := range in.Endpoints {
		if e.Scheme == "http" || e.Scheme == "https" {
			return e
		}
	}
	return in.Endpoints[0]
}

const meta = "__meta_muster_"

// metaLabels is what an instance says of itself; empty ones are left out, which is the same to Prometheus.
func metaLabels(in *muster.Instance, e muster.Endpoint) map[string]string {
	labels := map[string]string{meta + "namespace": in.Namespace, meta + "scheme": e.Scheme}
	if in.Zone != "" {
		labels[meta+"zone"] = in.Zone
	}
	if in.Version != "" {
		labels[meta+"version"] = in.Version
	}
	if in.ID != e.Address { // else it would make a group of each instance, and say nothing new
		labels[meta+"id"] = in.ID
	}
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		name := meta + "label_" + labelName(k)
		if _, taken := labels[name]; !taken { // "a.b" and "a_b" have one name; the first by its own keeps it
			labels[name] = in.Metadata[k]
		}
	}
	return labels
}

// labelName puts an underscore in the place of each character that a label's name may not have.
func labelName(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
}
