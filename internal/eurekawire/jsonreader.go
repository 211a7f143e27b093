package eurekawire

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON by pulling: the caller says what it wants next. It never holds more than the current key and value, and never
// nests deeper than MaxDepth.
type jsonReader struct {
	b     []byte
	i     int
	depth int
	first bool   // an object or array was opened and nothing in it has been read
	keys  []byte // holds a key that has escapes
	texts []byte // holds a value that has escapes
}

// kind is what sort of value comes next, named by its first byte; every number is a 0 and every boolean a t.
type kind byte

// next returns the kind of the next value without consuming it.
func (r *jsonReader) next() (kind, error) {
	r.space()
	if r.i == len(r.b) {
		return 0, r.truncated()
	}
	switch c := r.b[r.i]; c {
	case '{', '[', '"', 'n':
		return kind(c), nil
	case 't', 'f':
		return 't', nil
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0', nil
	}
	return 0, r.fault("%s where a value was wanted", r.here())
}

// open consumes the bracket that begins an object ('{') or an array ('[').
func (r *jsonReader) open(bracket byte) error {
	r.space()
	if r.i == len(r.b) {
		return r.truncated()
	}
	if r.b[r.i] != bracket {
		return r.fault("%s where %q was wanted", r.here(), bracket)
	}
	if r.depth == MaxDepth {
		return r.fault("nested deeper than %d levels", MaxDepth)
	}
	r.i++
	r.depth++
	r.first = true
	return nil
}

// more consumes what stands between two members, or the bracket that ends the object or array, and reports whether a member follows.
func (r *jsonReader) more(bracket byte) (bool, error) {
	r.space()
	if r.i == len(r.b) {
		return false, r.truncated()
	}
	first := r.first
	r.first = false
	if r.b[r.i] == bracket {
		r.i++
		r.depth--
		return false, nil
	}
	if first {
		return true, nil
	}
	if r.b[r.i] != ',' {
		return false, r.fault("%s where ',' or %q was wanted", r.here(), bracket)
	}
	r.i++
	return true, nil
}

// key returns the key of the next member of the open object, or false at the object's end. The key is valid until the next call.
func (r *jsonReader) key() (key []byte, more bool, err error) {
	if more, err = r.more('}'); !more || err != nil {
		return nil, false, err
	}
	r.space()
	if r.i < len(r.b) && r.b[r.i] != '"' {
		return nil, false, r.fault("%s where a key was wanted", r.here())
	}
	if key, err = r.string(&r.keys); err != nil {
		return nil, false, err
	}
	r.space()
	if r.i == len(r.b) {
		return nil, false, r.truncated()
	}
	if r.b[r.i] != ':' {
		return nil, false, r.fault("%s where ':' was wanted", r.here())
	}
	r.i++
	return key, true, nil
}

// scalar returns the text of a string, number, boolean or null; kind tells null from "null". The text is valid until the next call.
func (r *jsonReader) scalar() (text []byte, k kind, err error) {
	k, err = r.next()
	if err != nil {
		return nil, 0, err
	}
	at := r.i
	switch k {
	case '{':
		return nil, k, r.fault("an object where text was wanted")
	case '[':
		return nil, k, r.fault("an array where text was wanted")
	case '"':
		text, err = r.string(&r.texts)
	case '0':
		text, err = r.number()
	default:
		text, err = r.literal()
	}
	if err != nil {
		return nil, k, err
	}
	if len(text) > MaxText {
		r.i = at
		return nil, k, r.fault("value of %d bytes, the limit is %d", len(text), MaxText)
	}
	return text, k, nil
}

// skip consumes the next value, whatever it is.
func (r *jsonReader) skip() error {
	k, err := r.next()
	if err != nil {
		return err
	}
	switch k {
	case '{':
		if err := r.open('{'); err != nil {
			return err
		}
		for {
			if _, more, err := r.key(); !more || err != nil {
				return err
			}
			if err := r.skip(); err != nil {
				return err
			}
		}
	case '[':
		if err := r.open('['); err != nil {
			return err
		}
		for {
			if more, err := r.more(']'); !more || err != nil {
				return err
			}
			if err := r.skip(); err != nil {
				return err
			}
		}
	case '"':
		_, err = r.string(&r.texts)
	case '0':
		_, err = r.number()
	default:
		_, err = r.literal()
	}
	return err
}

// string consumes a string and returns its text: a part of the body, or, if it has escapes, buf.
func (r *jsonReader) string(buf *[]byte) ([]byte, error) {
	if r.i == len(r.b) {
		return nil, r.truncated()
	}
	r.i++ // the quote
	start := r.i
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return r.b[start : r.i-1], nil
		case c == '\\':
			return r.escaped(buf, start)
		case c < ' ':
			return nil, r.fault("control character %#02x in a string must be escaped", c)
		}
	}
	return nil, r.truncated()
}

// escaped goes on with a string that began at start and has its first escape at the current place.
func (r *jsonReader) escaped(buf *[]byte, start int) ([]byte, error) {
	text := append((*buf)[:0], r.b[start:r.i]...)
	for r.i < len(r.b) {
		c := r.b[r.i]
		switch {
		case c == '"':
			r.i++
			*buf = text
			return text, nil
		case c < ' ':
			return nil, r.fault("control character %#02x in a string must be escaped", c)
		case c != '\\':
			text = append(text, c)
			r.i++
			continue
		}
		if r.i+1 == len(r.b) {
			break
		}
		switch e := r.b[r.i+1]; e {
		case '"', '\\', '/':
			text = append(text, e)
		case 'b':
			text = append(text, '\b')
		case 'f':
			text = append(text, '\f')
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		case 'u':
			unit, ok := unicodeEscape(r.b[r.i:])
			if !ok {
				return nil, r.fault("%s is not \\u and four hexadecimal digits", quote(r.b[r.i:min(r.i+6, len(r.b))]))
			}
			r.i += 4
			if low, ok := unicodeEscape(r.b[r.i+2:]); ok && utf16.DecodeRune(unit, low) != utf8.RuneError {
				unit = utf16.DecodeRune(unit, low)
				r.i += 6
			}
			text = utf8.AppendRune(text, unit) // a lone half of a pair becomes U+FFFD
		default:
			return nil, r.fault("%s is not an escape", quote(r.b[r.i:r.i+2]))
		}
		r.i += 2
	}
	r.i = len(r.b)
	return nil, r.truncated()
}

// unicodeEscape reads \uXXXX at the start of b.
func unicodeEscape(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// number consumes a number by JSON's grammar and returns it as it is written.
func (r *jsonReader) number() ([]byte, error) {
	start := r.i
	if r.b[r.i] == '-' {
		r.i++
	}
	zero := r.i < len(r.b) && r.b[r.i] == '0'
	if n := r.digits(); n == 0 || zero && n > 1 {
		return nil, r.badNumber(start)
	}
	if r.i < len(r.b) && r.b[r.i] == '.' {
		r.i++
		if r.digits() == 0 {
			return nil, r.badNumber(start)
		}
	}
	if r.i < len(r.b) && (r.b[r.i] == 'e' || r.b[r.i] == 'E') {
		r.i++
		if r.i < len(r.b) && (r.b[r.i] == '+' || r.b[r.i] == '-') {
			r.i++
		}
		if r.digits() == 0 {
			return nil, r.badNumber(start)
		}
	}
	return r.b[start:r.i], nil
}

func (r *jsonReader) digits() (n int) {
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		r.i++
		n++
	}
	return n
}

func (r *jsonReader) badNumber(start int) error {
	end := min(r.i+1, len(r.b))
	r.i = start
	return r.fault("%s is not a number", quote(r.b[start:end]))
}

// literal consumes true, false or null.
func (r *jsonReader) literal() ([]byte, error) {
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.b[r.i:], []byte(word)) {
			r.i += len(word)
			return r.b[r.i-len(word) : r.i], nil
		}
	}
	return nil, r.fault("%s where a value was wanted", r.here())
}

func (r *jsonReader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\n', '\t', '\r':
			r.i++
		default:
			return
		}
	}
}

// here names the character at the current place.
func (r *jsonReader) here() string {
	c, _ := utf8.DecodeRune(r.b[r.i:])
	return strconv.QuoteRune(c)
}

func (r *jsonReader) truncated() error { return r.fault("ends too early: the body is truncated") }

// fault returns an error about the current place.
func (r *jsonReader) fault(format string, args ...any) error {
	return &DecodeError{Format: "json", Offset: r.i, Problem: fmt.Sprintf(format, args...)}
}
