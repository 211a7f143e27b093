// Package config reads muster.yaml and says of every setting where its value came from: flag, environment, file or default.
//
// A file may set what the keys given to [Read] name, and the registries that --registry takes by name. Anything else in it is
// an error that says the line. Values of registries may hold ${NAME}, which the environment replaces, or be file:PATH, which
// the contents of that file replace; both happen only when the registry is used, and what is printed is the text as written.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is what a muster.yaml says.
type File struct {
	Path       string
	Registries map[string]Registry

	settings map[string]setting
}

type setting struct {
	value string
	line  int
}

// FileName is looked for in the working directory, then in the user's directory for configuration.
const FileName = "muster.yaml"

const maxFile = 1 << 20 // bytes of a muster.yaml

// Find returns the path of the file to read: the first that exists of ./muster.yaml and muster/muster.yaml below
// $XDG_CONFIG_HOME or ~/.config; "" when there is none.
func Find(getenv func(string) string) string {
	for _, path := range []string{FileName, filepath.Join(userDir(getenv, "XDG_CONFIG_HOME", ".config"), FileName)} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// StateDir is the directory below which this user's data belong: $XDG_STATE_HOME/muster or ~/.local/state/muster. It is ""
// when neither is known.
func StateDir(getenv func(string) string) string {
	return userDir(getenv, "XDG_STATE_HOME", filepath.Join(".local", "state"))
}

func userDir(getenv func(string) string, variable, below string) string {
	if dir := getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "muster")
	}
	home := getenv("HOME")
	if home == "" {
		home = getenv("USERPROFILE")
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, below, "muster")
}

// Read reads the file at path, in which keys may be set.
//
// Errors: it cannot be read, is not YAML, or says something unknown or malformed; then the line is named.
func Read(path string, keys []Key) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration %s: there is no such file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("configuration %s: more than %d bytes", path, maxFile)
	}
	return Parse(path, text, keys)
}

// Parse reads text as [Read] does; path is what errors and origins call it.
func Parse(path string, text []byte, keys []Key) (*File, error) {
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, notYAML(path, err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:%d: a second document begins here, only one is read", path, second.Line)
	}
	p := parser{
		file: &File{Path: path, Registries: map[string]Registry{}, settings: map[string]setting{}},
		keys: make(map[string]Kind, len(keys)),
	}
	for _, k := range keys {
		p.keys[k.Name] = k.Kind
	}
	if len(doc.Content) == 0 { // an empty file
		return p.file, nil
	}
	if err := p.top(doc.Content[0]); err != nil {
		return nil, err
	}
	return p.file, nil
}

// notYAML says where a text is not YAML, as the other errors do: the decoder leaves line 1 out. A colon where none is allowed most
// often ends a value, or stands in one before a blank.
func notYAML(path string, err error) error {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	line := "1"
	if rest, ok := strings.CutPrefix(what, "line "); ok {
		line, what, _ = strings.Cut(rest, ": ")
	}
	if strings.Contains(what, "mapping values are not allowed") {
		what += `: a value with a colon at its end, or before a blank, needs quotes, as in data: "memory:"`
	}
	return fmt.Errorf("%s:%s: %s", path, line, what)
}

// Names returns the names of the registries, sorted. It works on a nil File.
func (f *File) Names() []string {
	if f == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(f.Registries))
}
