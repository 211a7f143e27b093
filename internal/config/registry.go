package config

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Registry is a registry that muster.yaml gives a name.
type Registry struct {
	Name      string
	URL       string            // as written
	Namespace string            // "" leaves it to the URL
	Options   map[string]string // parameters of the URL, as written

	from string // file and line
	file string // the file's path
}

const maxSecret = 64 << 10 // bytes of a file: value

// Resolve returns the URL with everything filled in that the environment and files have to say, secrets included: it must
// not be printed. Options are percent-encoded; what ${NAME} brings into the URL itself is taken as it is.
//
// Errors: a variable is not set, a file cannot be read.
func (r Registry) Resolve(getenv func(string) string) (string, error) {
	u, err := r.expand("url", r.URL, getenv)
	if err != nil {
		return "", err
	}
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	for _, name := range slices.Sorted(maps.Keys(r.Options)) {
		value, err := r.expand("options."+name, r.Options[name], getenv)
		if err != nil {
			return "", err
		}
		u += sep + url.QueryEscape(name) + "=" + url.QueryEscape(value)
		sep = "&"
	}
	return u, nil
}

// From is where the registry is written: "muster.yaml:12".
func (r Registry) From() string { return r.from }

// expand replaces file:PATH and ${NAME} in one value.
func (r Registry) expand(field, value string, getenv func(string) string) (string, error) {
	if path, ok := strings.CutPrefix(value, "file:"); ok {
		text, err := r.readSecret(path)
		if err != nil {
			return "", fmt.Errorf("%s: registries.%s.%s: %w", r.from, r.Name, field, err)
		}
		return text, nil
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(value, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", fmt.Errorf("%s: registries.%s.%s: ${ without }", r.from, r.Name, field)
		}
		v := getenv(name)
		if v == "" {
			return "", fmt.Errorf("%s: registries.%s.%s: the environment has no %s", r.from, r.Name, field, name)
		}
		out.WriteString(v)
		value = after
	}
}

// readSecret reads a file named relative to muster.yaml, without the line end that editors leave.
func (r Registry) readSecret(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("%s has more than %d bytes", path, maxSecret)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
