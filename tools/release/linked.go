package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// linked is a module of which packages are in the binary; the standard library is the module "std".
type linked struct {
	path, version, sum string
	licences           []licence // sorted by name
}

// listed is a package as `go list -json` tells of it.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// linked returns the modules of a target's binary with their licences: those beside its packages and above them.
//
// Errors: a module has no licence, an unknown one, or one that is not allowed; the binary has a module that the sources have not.
func (t *tree) linked(to target, info *buildinfo.BuildInfo) ([]*linked, error) {
	out, err := run(t.dir, to.env(), "go", "list", "-mod=readonly", "-deps", "-json=Dir,Standard,Module", "./cmd/muster")
	if err != nil {
		return nil, err
	}
	dirs := map[string]map[string]string{} // module → directory of a package → the module's own
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		if dirs[p.Module.Path] == nil {
			dirs[p.Module.Path] = map[string]string{}
		}
		dirs[p.Module.Path][p.Dir] = p.Module.Dir
	}
	root, err := run(t.dir, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	goroot := strings.TrimSpace(string(root))
	dirs["std"] = map[string]string{goroot: goroot}
	modules := []*linked{{path: "std", version: info.GoVersion}}
	for _, d := range info.Deps {
		if d.Replace != nil {
			return nil, fmt.Errorf("module %s is replaced by %s: a release has no replacements", d.Path, d.Replace.Path)
		}
		modules = append(modules, &linked{path: d.Path, version: d.Version, sum: d.Sum})
	}
	for _, m := range modules {
		if dirs[m.path] == nil {
			return nil, fmt.Errorf("module %s is in the binary and in none of its sources' packages", m.path)
		}
		if m.licences, err = licencesOf(dirs[m.path]); err != nil {
			return nil, err
		}
		if err := permits(m.path, m.licences); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(modules, func(a, b *linked) int { return cmp.Compare(a.path, b.path) })
	return modules, nil
}

// licencesOf reads the licence files in packages' directories and all above them, up to their module's.
func licencesOf(dirs map[string]string) ([]licence, error) {
	found := map[string]licence{}
	for dir, root := range dirs {
		for ; ; dir = filepath.Dir(dir) {
			if err := collect(found, dir, root); err != nil {
				return nil, err
			}
			if dir == root || len(dir) <= len(root) {
				break
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b licence) int { return cmp.Compare(a.name, b.name) }), nil
}

// collect adds the licence files of one directory.
func collect(found map[string]licence, dir, root string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !isLicence(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		found[name] = licence{name: name, text: text, ids: identify(text)}
	}
	return nil
}
