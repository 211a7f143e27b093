package social

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// dumps writes JSON as Python's json.dumps(json.loads(in)) does, byte for byte: ", " and ": " between things, keys in the order
// they came in, the last value of a key that comes twice, everything beyond ASCII escaped, and floats as repr writes them.
//
// It refuses what Python would write as Infinity, since that is not JSON.
//
// Source: CPython 3.7 and later, Lib/json/encoder.py, Objects/floatobject.c (before 3.7 a dict had no order).
func dumps(in []byte) (string, error) {
	if !utf8.Valid(in) {
		return "", errors.New("not JSON: it is not UTF-8")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, in); err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	r := jsonReader{in: compact.Bytes()}
	v := r.value()
	if r.err != nil {
		return "", r.err
	}
	var out strings.Builder
	v.write(&out)
	return out.String(), nil
}

// jsonValue is a JSON value whose scalars and keys are written as Python writes them.
type jsonValue struct {
	open  byte        // '{' or '[', 0 for a scalar
	text  string      // of a scalar
	keys  []string    // of an object
	items []jsonValue // of an object or a list
}

func (v *jsonValue) write(out *strings.Builder) {
	if v.open == 0 {
		out.WriteString(v.text)
		return
	}
	out.WriteByte(v.open)
	for i := range v.items {
		if i > 0 {
			out.WriteString(", ")
		}
		if v.open == '{' {
			out.WriteString(v.keys[i])
			out.WriteString(": ")
		}
		v.items[i].write(out)
	}
	out.WriteByte(v.open + 2) // ASCII has } and ] two places on
}

// jsonReader reads JSON that is known to be valid and has no space between its tokens.
type jsonReader struct {
	in  []byte // what is left
	err error  // the first
}

func (r *jsonReader) value() jsonValue {
	switch r.in[0] {
	case '{', '[':
		return r.container()
	case '"':
		return jsonValue{text: r.str()}
	}
	n := bytes.IndexAny(r.in, ",]}")
	if n < 0 {
		n = len(r.in)
	}
	word := string(r.in[:n])
	r.in = r.in[n:]
	return jsonValue{text: r.scalar(word)}
}

func (r *jsonReader) container() jsonValue {
	v := jsonValue{open: r.in[0]}
	r.in = r.in[1:]
	at := map[string]int{} // of keys
	for r.in[0] != v.open+2 {
		if r.in[0] == ',' {
			r.in = r.in[1:]
		}
		if v.open == '[' {
			v.items = append(v.items, r.value())
			continue
		}
		key := r.str()
		r.in = r.in[1:] // the colon
		item := r.value()
		if i, twice := at[key]; twice {
			v.items[i] = item
			continue
		}
		at[key] = len(v.keys)
		v.keys, v.items = append(v.keys, key), append(v.items, item)
	}
	r.in = r.in[1:]
	return v
}

// scalar writes a number, true, false or null.
func (r *jsonReader) scalar(word string) string {
	switch {
	case word[0] >= 'a':
		return word
	case word == "-0":
		return "0" // a whole number has no negative zero
	case !strings.ContainsAny(word, ".eE"):
		return word
	}
	f, _ := strconv.ParseFloat(word, 64) // what is too large is infinite
	if math.IsInf(f, 0) && r.err == nil {
		r.err = fmt.Errorf("the number %.40s is too large", word)
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	out := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(out, ".") {
		out += ".0"
	}
	return out
}

// str writes a string, unit of UTF-16 by unit: so even half of a surrogate pair stays what it is.
func (r *jsonReader) str() string {
	out := []byte{'"'}
	for r.in = r.in[1:]; r.in[0] != '"'; {
		if r.in[0] == '\\' {
			out = appendUnit(out, r.escape())
			continue
		}
		c, size := utf8.DecodeRune(r.in)
		r.in = r.in[size:]
		if high, low := utf16.EncodeRune(c); high != utf8.RuneError {
			out = appendUnit(out, high)
			c = low
		}
		out = appendUnit(out, c)
	}
	r.in = r.in[1:]
	return string(append(out, '"'))
}

// escape reads an escape.
func (r *jsonReader) escape() rune {
	c := r.in[1]
	if c == 'u' {
		unit, _ := strconv.ParseUint(string(r.in[2:6]), 16, 16)
		r.in = r.in[6:]
		return rune(unit)
	}
	r.in = r.in[2:]
	if i := strings.IndexByte(escapes, c); i >= 0 {
		return rune(escaped[i])
	}
	return rune(c) // a quote, a slash, a backslash
}

// The letters of escapes, and what they stand for.
const (
	escapes = "bfnrt"
	escaped = "\b\f\n\r\t"
)

func appendUnit(out []byte, c rune) []byte {
	if c == '"' || c == '\\' {
		return append(out, '\\', byte(c))
	}
	if ' ' <= c && c <= '~' {
		return append(out, byte(c))
	}
	if i := strings.IndexRune(escaped, c); i >= 0 {
		return append(out, '\\', escapes[i])
	}
	return fmt.Appendf(out, `\u%04x`, c)
}
