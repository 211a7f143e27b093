package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parser walks the document; every error names the file and the line.
type parser struct {
	file *File
	keys map[string]Kind // by dotted name
}

// top reads the outermost mapping.
func (p *parser) top(n *yaml.Node) error {
	return p.each(n, "the file", func(name string, key, value *yaml.Node) error {
		if name == "registries" {
			return p.registries(value)
		}
		return p.setting(name, key, value)
	})
}

// setting reads one key, or a mapping of keys whose names begin with name and a dot.
func (p *parser) setting(name string, key, value *yaml.Node) error {
	kind, ok := p.keys[name]
	if !ok {
		if !p.group(name) {
			return p.at(key, "unknown key %q (known: %s)", name, strings.Join(p.known(name), ", "))
		}
		return p.each(value, name, func(sub string, key, value *yaml.Node) error {
			return p.setting(name+"."+sub, key, value)
		})
	}
	text, err := p.value(name, kind, value)
	if err != nil {
		return err
	}
	if err := kind.Check(text); err != nil {
		return p.at(value, "%s: %v", name, err)
	}
	p.file.settings[name] = setting{text, value.Line}
	return nil
}

// registries reads the mapping of names to URLs, or to mappings of url, namespace and options.
func (p *parser) registries(n *yaml.Node) error {
	return p.each(n, "registries", func(name string, key, value *yaml.Node) error {
		reg := Registry{Name: name, from: fmt.Sprintf("%s:%d", p.file.Path, key.Line), file: p.file.Path}
		where := "registries." + name
		if strings.Contains(name, ":") || name == "" {
			return p.at(key, "registry name %q: it is empty or holds a colon, so it could not be told from a URL", name)
		}
		if value.Kind == yaml.ScalarNode {
			reg.URL = value.Value
		} else if err := p.each(value, where, func(field string, key, value *yaml.Node) (err error) {
			switch field {
			case "url":
				reg.URL, err = p.scalar(where+".url", value)
			case "namespace":
				reg.Namespace, err = p.scalar(where+".namespace", value)
			case "options":
				reg.Options, err = p.options(where+".options", value)
			default:
				err = p.at(key, "unknown key %q in %s (known: url, namespace, options)", field, where)
			}
			return err
		}); err != nil {
			return err
		}
		if reg.URL == "" {
			return p.at(key, "%s has no url", where)
		}
		p.file.Registries[name] = reg
		return nil
	})
}

func (p *parser) options(where string, n *yaml.Node) (map[string]string, error) {
	out := map[string]string{}
	err := p.each(n, where, func(name string, _, value *yaml.Node) (err error) {
		out[name], err = p.scalar(where+"."+name, value)
		return err
	})
	return out, err
}

// each calls f for the entries of a mapping, in order; a name that occurs twice is an error.
func (p *parser) each(n *yaml.Node, where string, f func(name string, key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.at(n, "%s must be a mapping of names to values", where)
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return p.at(key, "%s: a name is expected here", where)
		}
		if seen[key.Value] {
			return p.at(key, "%q occurs twice in %s", key.Value, where)
		}
		seen[key.Value] = true
		if err := f(key.Value, key, value); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) value(name string, kind Kind, n *yaml.Node) (string, error) {
	if kind != List || n.Kind != yaml.SequenceNode {
		return p.scalar(name, n)
	}
	items := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		s, err := p.scalar(name, item)
		if err != nil {
			return "", err
		}
		items = append(items, s)
	}
	return strings.Join(items, ","), nil
}

func (p *parser) scalar(name string, n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", p.at(n, "%s must be a single value", name)
	}
	if n.Tag == "!!null" {
		return "", p.at(n, "%s has no value", name)
	}
	return n.Value, nil
}

// group reports whether keys exist below name.
func (p *parser) group(name string) bool {
	for k := range p.keys {
		if strings.HasPrefix(k, name+".") {
			return true
		}
	}
	return false
}

// known lists the names that could stand where name does, each by its last part.
func (p *parser) known(name string) []string {
	prefix := name[:strings.LastIndexByte(name, '.')+1]
	names := []string{}
	if prefix == "" {
		names = append(names, "registries")
	}
	for k := range p.keys {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			part, _, _ := strings.Cut(rest, ".")
			names = append(names, part)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *parser) at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file.Path, n.Line, fmt.Sprintf(format, args...))
}
