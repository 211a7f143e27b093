package store_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wallClock lists where the package may look at a time of day, and why a clock that is set back expires nothing there. All
// else counts nanoseconds on the monotonic clock since Store.base, which [Store.now] alone reads.
var wallClock = map[string]string{
	"Open: time.Now":            "the base; its monotonic reading is the one that counts",
	"Store.now: time.Since":     "monotonic, for the base has a monotonic reading",
	"Store.ChangesSince: t.Sub": "a reader's question about the feed; it ends no lease",
	"space.put: time.Now":       "Record.Changed is shown, and compared with nothing",
	"scribe.trouble: time.Now":  "State.JournalSince is shown, and compared with nothing",
	"scribe.plan: time.Now":     "Intent.At, AuditRecord.At and Token.Created are shown",

	// The end of an intent is a time of day, because a person named it: a clock set back puts it off, and that is all.
	"Store.SetIntent: it.Until.After":     "is it over already",
	"Store.SetIntent: time.Now":           "is it over already",
	"plan.resolveIntent: it.Until.Before": "does it end before the next look",
	"Store.AddToken: time.Now":            "is it over already",
	"Token.check: t.Expires.After":        "is it over already; the faces compare it with the clock at each request",
	"scribe.sleep: time.Until":            "when to look next; at least once a minute, should the clock be moved",
	"scribe.end: time.Now":                "whose time has come",
	"scribe.end: soonest.Before":          "when to look next",
	"scribe.end: again.Before":            "when to try the journal again",
	"intents.over: until.After":           "whose time has come",
	"intents.over: until.Before":          "whose comes next",
}

// A test cannot set the clock of the machine back. What it can show is that nothing that expires has a look at it: leases are
// renewed, counted as late and ended by instants of Store.now, which come from the monotonic clock.
func TestAClockSetBackExpiresNothing(t *testing.T) {
	found := map[string]token.Position{}
	var now, base []string // what Store.now does, what Store.base is set to
	for _, f := range sources(t) {
		for _, decl := range f.syntax.Decls {
			place := placeOf(decl)
			for _, look := range f.looks(decl) {
				found[place+": "+look.name] = look.at
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "base" {
						base = append(base, place+" "+f.text(n.Value))
					}
				case *ast.AssignStmt:
					for _, to := range n.Lhs {
						if x, ok := to.(*ast.SelectorExpr); ok && x.Sel.Name == "base" {
							base = append(base, place+" "+f.text(n))
						}
					}
				case *ast.FuncDecl:
					if place == "Store.now" {
						now = append(now, f.text(n.Body))
					}
				}
				return true
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if wallClock[name] == "" {
			t.Errorf("%s: %s looks at the wall clock; count from Store.now, or list it with the reason why a clock set back does no harm", found[name], name)
		}
	}
	for name := range wallClock {
		if _, ok := found[name]; !ok {
			t.Errorf("%s is listed, and is there no more", name)
		}
	}
	if want := []string{"{ return int64(time.Since(s.base)) }"}; !slices.Equal(now, want) {
		t.Errorf("Store.now is %q, want %q", now, want)
	}
	if want := []string{"Open time.Now()"}; !slices.Equal(base, want) { // Round, UTC and the like would lose the monotonic reading
		t.Errorf("the base is set to %q, want %q", base, want)
	}
}

// source is a file of the package that is not a test.
type source struct {
	files  *token.FileSet
	syntax *ast.File
	times  string          // what it calls package time; "" when it does not import it
	others map[string]bool // what it calls other packages
}

func sources(t *testing.T) (out []*source) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		syntax, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := &source{files: files, syntax: syntax, others: map[string]bool{}}
		for _, imp := range syntax.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			name := path[strings.LastIndex(path, "/")+1:]
			if imp.Name != nil {
				name = imp.Name.Name
			}
			if f.others[name] = path != "time"; path == "time" {
				f.times = name
			}
		}
		out = append(out, f)
	}
	return out
}

type look struct {
	name string // as called, such as time.Now or t.Sub
	at   token.Position
}

// looks finds where n reads a clock, by a call or by handing the function on, and where it compares times of day.
func (f *source) looks(n ast.Node) (out []look) {
	called := map[ast.Expr]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			called[n.Fun] = true
		case *ast.SelectorExpr:
			of := f.text(n.X)
			reads := of == f.times && slices.Contains(clockReaders, n.Sel.Name)
			compares := of != f.times && !f.others[of] && called[n] && slices.Contains(timeMethods, n.Sel.Name)
			if reads || compares {
				out = append(out, look{of + "." + n.Sel.Name, f.files.Position(n.Pos())})
			}
		}
		return true
	})
	return out
}

// clockReaders are functions of package time, timeMethods methods of time.Time.
var (
	clockReaders = []string{"Now", "Since", "Until"}
	timeMethods  = []string{"Sub", "Before", "After", "Compare", "Unix", "UnixMilli", "UnixMicro", "UnixNano"}
)

// text is n as in the source, on one line.
func (f *source) text(n ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, f.files, n); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// placeOf names a declaration: Type.method, function, or what else it is.
func placeOf(decl ast.Decl) string {
	fn, ok := decl.(*ast.FuncDecl)
	if !ok {
		return "a declaration"
	}
	if fn.Recv == nil {
		return fn.Name.Name
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}
