package eurekawire

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// This file holds the part of xmlReader that reads text: characters, CDATA sections and the few entities there are.

// text returns the text of the current element and leaves it. The text is valid until the next call.
func (r *xmlReader) text() ([]byte, error) {
	if r.empty {
		r.leave()
		return nil, nil
	}
	begin := r.i
	text, whole := []byte(nil), true // whole: text is one part of the body, not a copy in r.texts
	for {
		part, plain, err := r.characters()
		if err != nil {
			return nil, err
		}
		if whole && plain && len(text) == 0 {
			text = part
		} else {
			if whole {
				r.texts = append(r.texts[:0], text...)
				whole = false
			}
			if plain {
				r.texts = append(r.texts, part...)
			} else if r.texts, err = r.expand(r.texts, part); err != nil {
				return nil, err
			}
			text = r.texts
		}
		if len(text) > MaxText {
			r.i = begin
			return nil, r.fault("value of more than %d bytes", MaxText)
		}
		switch {
		case r.at("</"):
			return text, r.endTag()
		case r.at("<!--"):
			err = r.comment()
		case r.at("<?"):
			err = r.instruction()
		case r.at("<![CDATA["), !r.at("<"): // or text after such a section
			continue
		case r.at("<!"):
			err = r.fault("a declaration where text was wanted")
		default:
			err = r.fault("an element where text was wanted")
		}
		if err != nil {
			return nil, err
		}
	}
}

// leaf reports whether the current element has nothing but plain text in it.
func (r *xmlReader) leaf() bool {
	n := bytes.IndexByte(r.b[r.i:], '<')
	return r.empty || n >= 0 && bytes.HasPrefix(r.b[r.i+n:], []byte("</"))
}

// characters consumes text up to the next markup, or one CDATA section. plain is false if the text has entities or line ends to be
// replaced.
func (r *xmlReader) characters() (part []byte, plain bool, err error) {
	if r.at("<![CDATA[") {
		begin := r.i + len("<![CDATA[")
		n := bytes.Index(r.b[begin:], []byte("]]>"))
		if n < 0 {
			return nil, false, r.truncated()
		}
		r.i = begin + n + len("]]>")
		return r.b[begin : begin+n], true, nil
	}
	begin := r.i
	plain = true
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; {
		case c == '<':
			return r.b[begin:r.i], plain, nil
		case c == '&', c == '\r':
			plain = false
		case c < ' ' && c != '\t' && c != '\n':
			return nil, false, r.fault("control character %#02x", c)
		}
	}
	return nil, false, r.truncated()
}

// expand appends part, which has just been consumed, to text with its entities and line ends replaced.
func (r *xmlReader) expand(text, part []byte) ([]byte, error) {
	for i := 0; i < len(part); i++ {
		switch part[i] {
		case '&':
			c, n := entity(part[i:])
			if n == 0 {
				r.i -= len(part) - i
				return nil, r.fault("%s is not one of XML's own entities", quote(part[i:min(i+12, len(part))]))
			}
			text = utf8.AppendRune(text, c)
			i += n - 1
		case '\r': // XML 1.0 §2.11: a line end is read as \n
			if i+1 == len(part) || part[i+1] != '\n' {
				text = append(text, '\n')
			}
		default:
			text = append(text, part[i])
		}
	}
	return text, nil
}

// entity reads a reference at the start of b: its character and its length, 0 if it is none that XML defines itself.
func entity(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := b[1:end]; string(name) {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		if name[0] != '#' || len(name) < 2 {
			return 0, 0
		}
		digits, radix := name[1:], 10
		if digits[0] == 'x' {
			digits, radix = digits[1:], 16
		}
		n, err := strconv.ParseUint(string(digits), radix, 31)
		if err != nil || !xmlChar(rune(n)) {
			return 0, 0
		}
		return rune(n), end + 1
	}
}
