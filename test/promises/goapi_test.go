package promises

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/golden"
)

const module = "github.com/muster-go/muster"

// public reports whether users may import a package.
func public(path string) bool {
	at, ours := strings.CutPrefix(path, module)
	for _, own := range []string{"/internal/", "/cmd/", "/examples/", "/test/", "/deploy/"} {
		ours = ours && !strings.HasPrefix(at, own)
	}
	return ours
}

// TestGoAPI holds every exported name of every package that users may import to its signature.
func TestGoAPI(t *testing.T) {
	exports := listExports(t)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var lines []string
	for path := range exports {
		if !public(path) {
			continue
		}
		p, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Scope().Names() {
			if o := p.Scope().Lookup(name); o.Exported() {
				lines = append(lines, promised(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), o)...)
			}
		}
	}
	if len(lines) < 100 {
		t.Fatalf("%d names were found: %q", len(lines), lines)
	}
	golden.Lines(t, "testdata/go.txt", lines)
}

// listExports builds what users may import, and returns where the compiler left what each package of it exports.
func listExports(t *testing.T) map[string]string {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Export"}
	for _, path := range strings.Fields(run(t, "list", module+"/...")) {
		if public(path) {
			args = append(args, path)
		}
	}
	exports := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(run(t, args...))); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); err == io.EOF {
			return exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
}

// run runs the go tool for one system, whose list stands for all: public names do not differ.
func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go %s: %s", args[0], exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// promised is what an exported name promises: itself, and what can be reached through it.
func promised(pkg string, o types.Object) []string {
	w := writer{at: cmp.Or(pkg, "muster") + ": "}
	switch o := o.(type) {
	case *types.Const:
		w.say("const %s %s = %s", o.Name(), w.text(o.Type()), o.Val())
	case *types.Var:
		w.say("var %s %s", o.Name(), w.text(o.Type()))
	case *types.Func:
		w.say("func %s%s", o.Name(), w.signature(o.Signature()))
	case *types.TypeName:
		w.typeName(o)
	}
	return w.lines
}

// writer writes promises of one package.
type writer struct {
	at    string
	lines []string
}

func (w *writer) say(format string, args ...any) {
	w.lines = append(w.lines, w.at+fmt.Sprintf(format, args...))
}

func (w *writer) typeName(o *types.TypeName) {
	if o.IsAlias() {
		w.say("type %s = %s", o.Name(), w.text(types.Unalias(o.Type())))
		return
	}
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		w.say("type %s struct", o.Name())
		for f := range u.Fields() {
			if f.Exported() {
				w.say("type %s struct, %s %s", o.Name(), f.Name(), w.text(f.Type()))
			}
		}
	case *types.Interface:
		w.say("type %s interface of %d methods", o.Name(), u.NumMethods()) // one more breaks who implements it
		for m := range u.Methods() {
			w.say("type %s interface, %s%s", o.Name(), m.Name(), w.signature(m.Signature()))
		}
		return
	default:
		w.say("type %s %s", o.Name(), w.text(u))
	}
	for m := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
		if f := m.Obj().(*types.Func); f.Exported() {
			receiver := "*"
			if types.NewMethodSet(o.Type()).Lookup(f.Pkg(), f.Name()) != nil {
				receiver = ""
			}
			w.say("method (%s%s) %s%s", receiver, o.Name(), f.Name(), w.signature(f.Signature()))
		}
	}
}

// signature is a function's without the names of its parameters, which promise nothing.
func (w *writer) signature(s *types.Signature) string {
	var b strings.Builder
	for i := range s.TypeParams().Len() {
		p := s.TypeParams().At(i)
		fmt.Fprintf(&b, "[%s %s]", p, w.text(p.Constraint()))
	}
	b.WriteString("(" + strings.Join(w.tuple(s.Params(), s.Variadic()), ", ") + ")")
	switch results := w.tuple(s.Results(), false); len(results) {
	case 0:
	case 1:
		b.WriteString(" " + results[0])
	default:
		b.WriteString(" (" + strings.Join(results, ", ") + ")")
	}
	return b.String()
}

func (w *writer) tuple(t *types.Tuple, variadic bool) []string {
	var out []string
	for i := range t.Len() {
		typ := t.At(i).Type()
		if slice, ok := typ.(*types.Slice); ok && variadic && i == t.Len()-1 {
			out = append(out, "..."+w.text(slice.Elem()))
			continue
		}
		out = append(out, w.text(typ))
	}
	return out
}

// text is a type with its packages by name.
func (w *writer) text(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}
