package muster_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The rules of the house that a compiler does not know. Each says in its failure what to do instead.

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range loadPackages(t) {
		want := "Package " + p.name + " "
		if p.name == "main" {
			want = "Command " + filepath.Base(p.dir) + " "
		}
		var docs []string
		for _, f := range p.files {
			if f.syntax.Doc != nil && !f.test {
				docs = append(docs, f.syntax.Doc.Text())
			}
		}
		switch {
		case len(docs) != 1:
			t.Errorf("%s has %d package comments, want one, in doc.go or the file named after the package", p, len(docs))
		case !strings.HasPrefix(docs[0], want):
			t.Errorf("%s: its comment starts with %.40q, want %q", p, docs[0], want)
		}
	}
}

func TestNoPackageIsADrawer(t *testing.T) {
	for _, p := range loadPackages(t) {
		switch p.name {
		case "util", "utils", "common", "helper", "helpers", "base", "misc", "shared":
			t.Errorf("%s: a name that says nothing; name it after what it provides", p)
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for f := range allFiles(t) {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init; do it in a constructor, where the caller sees it", f.at(fn))
			}
		}
	}
}

// A program's end, its flags and its signals belong to its main function; os.Exit elsewhere takes the caller's clean-up away.
// An example's main may end with log.Fatal and hear signals, as a user's does.
func TestOnlyTheBinaryExitsAndHasFlags(t *testing.T) {
	for f := range allFiles(t) {
		if f.test || strings.HasPrefix(f.path, "cmd/") {
			continue
		}
		imports := []string{"flag", "github.com/spf13/pflag", "github.com/spf13/cobra"}
		calls := []string{"os.Exit"}
		if f.syntax.Name.Name != "main" {
			imports = append(imports, "os/signal")
			calls = append(calls, "log.Fatal", "log.Fatalf", "log.Fatalln")
		}
		for _, imported := range f.imports() {
			if slices.Contains(imports, imported) {
				t.Errorf("%s imports %s; only cmd/ has flags and signals: take what you need as a parameter", f.path, imported)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, exit := range calls {
				if isCall(n, exit) {
					t.Errorf("%s: %s; only cmd/ ends the program: return an error", f.at(n), exit)
				}
			}
			return true
		})
	}
}

// A skipped test looks like a passed one. What a test needs is installed by make test, or its absence is a failure.
func TestNoTestSkips(t *testing.T) {
	for f := range allFiles(t) {
		if !f.test && !slices.Contains(f.imports(), "testing") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, receiver := range []string{"t", "b", "f", "tb"} {
				for _, method := range []string{"Skip", "Skipf", "SkipNow"} {
					if isCall(n, receiver+"."+method) {
						t.Errorf("%s: %s.%s; fail and name what installs what is missing", f.at(n), receiver, method)
					}
				}
			}
			if isCall(n, "testing.Short") {
				t.Errorf("%s: testing.Short; there is one form of each test, and MUSTER_SOAK=1 for the long one", f.at(n))
			}
			return true
		})
	}
}

// source is one Go file of the tree, for any system and any build tag.
type source struct {
	path   string // below the root, with slashes
	test   bool
	set    *token.FileSet
	syntax *ast.File
}

func (f *source) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

func (f *source) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// pkg is one package of this module with its files for every system.
type pkg struct {
	at, name, dir string
	imports       []string // of its files that are not tests, for every system
	deps          []string // transitive, for this system
	files         []*source
}

func (p *pkg) String() string {
	if p.at == "" {
		return "the root"
	}
	return p.at
}

// loadPackages returns every package of this module: one run of the go tool for all tests of the house.
func loadPackages(t *testing.T) []*pkg {
	t.Helper()
	packages, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

var listPackages = sync.OnceValues(func() ([]*pkg, error) {
	files, err := parseTree()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Name,Deps", "./...")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, errors.New("go list: " + string(exit.Stderr))
	}
	if err != nil {
		return nil, err
	}
	byDir := map[string][]*source{}
	for _, f := range files {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		byDir[dir] = append(byDir[dir], f)
	}
	var packages []*pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var listed struct {
			Dir, ImportPath, Name string
			Deps                  []string
		}
		if err := dec.Decode(&listed); err == io.EOF {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		at, _ := below(listed.ImportPath)
		p := &pkg{at: at, name: listed.Name, dir: listed.Dir, deps: listed.Deps, files: byDir[filepath.ToSlash(filepath.Clean(at))]}
		for _, f := range p.files {
			if !f.test {
				p.imports = append(p.imports, f.imports()...)
			}
		}
		slices.Sort(p.imports)
		p.imports = slices.Compact(p.imports)
		packages = append(packages, p)
	}
})

// allFiles yields every Go file of the tree, nested modules included.
func allFiles(t *testing.T) func(yield func(*source) bool) {
	t.Helper()
	files, err := parseTree()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Values(files)
}

var parseTree = sync.OnceValues(func() ([]*source, error) {
	var files []*source
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, &source{path: filepath.ToSlash(path), test: strings.HasSuffix(path, "_test.go"), set: set, syntax: syntax})
		return nil
	})
	return files, err
})

// isCall reports whether n calls a function or method by this dotted name.
func isCall(n ast.Node, name string) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := fun.X.(*ast.Ident)
	return ok && of.Name+"."+fun.Sel.Name == name
}
