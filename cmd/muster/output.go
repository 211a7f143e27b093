package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

// The values of --output.
const (
	asTable = "table"
	asWide  = "wide"
	asJSON  = "json"
	asYAML  = "yaml"
	asName  = "name"
)

func formats() []string { return []string{asTable, asWide, asJSON, asYAML, asName} }

// printed is a result in all the forms it has.
type printed struct {
	Value any                    // for json and yaml: a shape of the native API
	Table func(wide bool) *table // may be nil if there are no rows to show
	Names []string               // for name: what other commands take as arguments
}

// print writes p to stdout as --output says.
func (c *cli) print(p printed) error {
	switch f := c.format(); f {
	case asJSON:
		return writeJSON(c.stdout, p.Value)
	case asYAML:
		return writeYAML(c.stdout, p.Value)
	case asName:
		for _, n := range p.Names {
			fmt.Fprintln(c.stdout, plain(n))
		}
		return nil
	default:
		return c.printTable(p.Table(f == asWide))
	}
}

// printTable writes t to stdout, no wider than that is.
func (c *cli) printTable(t *table) error {
	t.columns, _ = size(c.stdout)
	_, err := t.WriteTo(c.stdout)
	return err
}

func (c *cli) format() string { return c.text("output") }

// structured reports whether stdout is for programs: then words for people stay away from it.
func (c *cli) structured() bool {
	return c.format() == asJSON || c.format() == asYAML || c.format() == asName
}

// say writes a line for people: to stdout beside a table, else to stderr.
func (c *cli) say(format string, args ...any) {
	w := c.stdout
	if c.structured() {
		w = c.stderr
	}
	writeLine(w, format, args...)
}

// progress writes a line about what goes on, to stderr.
func (c *cli) progress(format string, args ...any) { writeLine(c.stderr, format, args...) }

// writeLine writes words for people, which may quote what a peer sent.
func writeLine(w io.Writer, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\t", "    ")
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(w, plain(line))
	}
}

// paint says whether stdout takes colours.
func (c *cli) paint() painter {
	return painter(c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb" && isTerminal(c.stdout))
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is that of a terminal, 0 and 0 if it does not say or is none.
func size(stream any) (columns, lines int) {
	if f, ok := stream.(*os.File); ok {
		if columns, lines, err := term.GetSize(int(f.Fd())); err == nil {
			return columns, lines
		}
	}
	return 0, 0
}

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(visible(b.Bytes()))
	return err
}

// visible puts escapes that mean the same in the place of what JSON allows as it is: runes that could steer a terminal, and
// those that YAML refuses. They are below U+10000, so the escapes are YAML's too.
func visible(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r >= 0x7f && unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == 0xfeff || r == 0xfffe || r == 0xffff {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// writeYAML writes what the JSON form says, with the same names in the same order.
func writeYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(visible(text), &doc); err != nil { // JSON is YAML
		return err
	}
	block(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return err
	}
	return enc.Close()
}

// block gives the document the usual look: one entry a line, quotes where they are needed.
func block(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		block(c)
	}
}

// checkFormat refuses an unknown --output.
func checkFormat(s string) error {
	if slices.Contains(formats(), s) {
		return nil
	}
	return usage("output %q is not one of %s", s, strings.Join(formats(), ", "))
}

func completeFormats(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return formats(), cobra.ShellCompDirectiveNoFileComp
}
