package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tree is a clean clone of muster's sources.
type tree struct {
	dir  string
	time time.Time // SOURCE_DATE_EPOCH, or the commit's: every file of the release has it
}

// file is one file of an archive.
type file struct {
	name string // with slashes, below the archive's own directory
	data []byte
	mode fs.FileMode // 0o755 or 0o644
}

// openTree reads the time of a clone.
//
// Errors: it is no clone; it has changes that no commit has.
func openTree(dir string) (*tree, error) {
	changed, err := run(dir, nil, "git", "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		return nil, fmt.Errorf("%s has changes that no commit has:\n%s", dir, changed)
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		stamp, err := run(dir, nil, "git", "log", "-1", "--format=%ct")
		if err != nil {
			return nil, err
		}
		epoch = string(bytes.TrimSpace(stamp))
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH=%q is not a number of seconds", epoch)
	}
	return &tree{dir: dir, time: time.Unix(seconds, 0).UTC()}, nil
}

// shipped are the files and directories of the tree that every archive holds.
var shipped = [...]string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "deploy", "docs"}

// files are those that are the same for every target: documents, deploy/, and completions.
func (t *tree) files() ([]file, error) {
	var files []file
	for _, name := range shipped {
		err := filepath.WalkDir(filepath.Join(t.dir, name), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(t.dir, p)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(p)
			files = append(files, file{name: filepath.ToSlash(rel), data: data, mode: 0o644})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	completions, err := t.completions()
	return append(files, completions...), err
}

// completions are what the binary of this machine prints for each shell.
func (t *tree) completions() ([]file, error) {
	program, err := t.build(target{runtime.GOOS, runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(filepath.Dir(program))
	var files []file
	for shell, name := range map[string]string{"bash": "muster.bash", "zsh": "_muster", "fish": "muster.fish", "powershell": "muster.ps1"} {
		script, err := run(t.dir, nil, program, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "completions/" + name, data: script, mode: 0o644})
	}
	return files, nil
}

// build builds the binary of a target in a directory of its own, which the caller removes.
func (t *tree) build(to target) (string, error) {
	dir, err := os.MkdirTemp("", "muster-release-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, to.program())
	_, err = run(t.dir, to.env(), "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", program, "./cmd/muster")
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	return program, nil
}

// pack writes a target's archive and its bill of materials into out, and returns their names.
func (t *tree) pack(to target, out string, own []file) ([]string, error) {
	program, err := t.build(to)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(filepath.Dir(program))
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	version, err := versionOf(info)
	if err != nil {
		return nil, err
	}
	linked, err := t.linked(to, info)
	if err != nil {
		return nil, err
	}
	bom, err := bill(info, linked, data, t.time)
	if err != nil {
		return nil, err
	}
	files := append([]file{
		{name: to.program(), data: data, mode: 0o755},
		{name: "sbom.cdx.json", data: bom, mode: 0o644},
	}, own...)
	for _, m := range linked {
		for _, l := range m.licences {
			files = append(files, file{name: path.Join("LICENSES", m.path, l.name), data: l.text, mode: 0o644})
		}
	}
	base := fmt.Sprintf("muster_%s_%s_%s", strings.TrimPrefix(version, "v"), to.os, to.arch)
	name, write := base+".tar.gz", tarGz
	if to.os == "windows" {
		name, write = base+".zip", zipped
	}
	archive, err := write(base, files, t.time)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(out, base+".cdx.json"), bom, 0o644); err != nil {
		return nil, err
	}
	return []string{name, base + ".cdx.json"}, os.WriteFile(filepath.Join(out, name), archive, 0o644)
}

// versionOf is the version that a binary says it is: its commit's tag, or what lies between two.
//
// Errors: the build knows none, or not that it is of a commit as it is.
func versionOf(info *buildinfo.BuildInfo) (string, error) {
	if v := info.Main.Version; strings.HasPrefix(v, "v") && !strings.Contains(v, "+dirty") {
		return v, nil
	}
	return "", fmt.Errorf("the binary says version %q: it was not built from a commit as it is", info.Main.Version)
}

// run runs a program in a directory and returns what it wrote.
func run(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}
