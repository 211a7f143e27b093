package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// page is the read-only page at "/": what is registered, what of it may get traffic, and why not the rest. It loads nothing,
// runs no script and changes nothing.
type page struct {
	store   *store.Store
	version string
	exposed string // that others may do more than they usually do; "": they may not
	layout  *template.Template
	policy  string // Content-Security-Policy
}

// maxRows bounds the instances on the page.
const maxRows = 1000

func newPage(s *store.Store, version, exposed string) *page {
	style := sha256.Sum256([]byte(pageCSS))
	return &page{
		store:   s,
		version: version,
		exposed: exposed,
		layout:  template.Must(template.New("page").Parse(pageHTML)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) +
			"'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}
}

// sheet is what the layout is filled with.
type sheet struct {
	Version, Namespace, Started, Eureka string
	Style                               template.CSS
	Namespaces, Warnings                []string
	Services                            []sheetService
	Instances, Up, Hidden, Names        int
	Seen, Expected                      float64
}

type sheetService struct {
	Name      string
	Count, Up int
	Rows      []sheetRow
}

type sheetRow struct {
	ID, Status, Zone, Version, Effective, Class, Because, Note string
	Endpoints                                                  []string
	Weight                                                     int
}

func (p *page) serve(w http.ResponseWriter, r *http.Request, who *access.Principal) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	namespace := namespaceOf(r)
	if err := muster.CheckNamespace(namespace); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var b bytes.Buffer
	if err := p.layout.Execute(&b, p.sheet(namespace, r, who)); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = b.WriteTo(w) // the reader may be gone
}

// sheet shows one namespace, and of the others the names of those that who may read.
func (p *page) sheet(namespace string, r *http.Request, who *access.Principal) *sheet {
	base := "http://" + r.Host
	if r.TLS != nil {
		base = "https://" + r.Host
	}

	st := p.store.State()
	out := &sheet{
		Version: p.version, Namespace: namespace, Style: template.CSS(pageCSS), // our own file
		Started: st.Started.UTC().Format("2006-01-02 15:04:05 UTC"), Eureka: base + "/eureka",
	}
	if p.exposed != "" {
		out.Warnings = append(out.Warnings, p.exposed)
	}
	if st.Journal != "" {
		out.Warnings = append(out.Warnings, "Journal: "+st.Journal)
	}
	for _, n := range st.Namespaces {
		if who.May(access.Act{Verb: access.Read, Namespace: n.Namespace}) != nil {
			continue
		}
		out.Namespaces = append(out.Namespaces, n.Namespace)
		if n.Preserving {
			out.Warnings = append(out.Warnings, strings.ToUpper(n.Why[:1])+n.Why[1:])
		}
		if muster.EqualFold(n.Namespace, namespace) {
			out.Namespace, out.Seen, out.Expected = n.Namespace, n.Seen, n.Expected
		}
	}
	if out.Namespace != muster.DefaultNamespace {
		out.Eureka = base + "/ns/" + out.Namespace + "/eureka"
		if !slices.Contains(out.Namespaces, muster.DefaultNamespace) {
			out.Namespaces = append([]string{muster.DefaultNamespace}, out.Namespaces...)
		}
	}
	if !st.Loaded {
		return out
	}
	shown := 0
	for _, svc := range p.store.View(namespace).Services {
		out.Names++
		s := sheetService{Name: svc.Name, Count: len(svc.Records)}
		for _, rec := range svc.Records {
			if rec.Effective() == muster.Up {
				s.Up++
			}
			if shown < maxRows {
				s.Rows = append(s.Rows, row(rec.Instance))
				shown++
			}
		}
		out.Instances += s.Count
		out.Up += s.Up
		if len(s.Rows) > 0 {
			out.Services = append(out.Services, s)
		}
	}
	out.Hidden = out.Instances - shown
	return out
}

func row(in *muster.Instance) sheetRow {
	e := in.Effective()
	r := sheetRow{
		ID: in.ID, Status: in.Status.String(), Zone: in.Zone, Version: in.Version, Weight: e.Weight,
		Effective: e.Status.String(), Class: "out", Because: e.Because,
	}
	if e.Up() {
		r.Class = "up"
	}
	if in.Intent != nil {
		r.Note = in.Intent.Note
	}
	for _, end := range in.Endpoints {
		r.Endpoints = append(r.Endpoints, end.String())
	}
	return r
}
