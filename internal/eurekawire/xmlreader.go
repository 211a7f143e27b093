package eurekawire

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// xmlReader reads the XML that Eureka speaks by pulling: elements within elements, or text within an element, with attributes,
// comments, CDATA and the entities that XML defines itself. There is no DOCTYPE and hence no entity to expand. It never holds more
// than the current start tag, and never nests deeper than MaxDepth.
type xmlReader struct {
	b      []byte
	i      int
	name   []byte // of the element that start or child has just entered; a part of the body
	attrs  []xmlAttr
	empty  bool // that element is <name/>: its end has been read already
	depth  int
	opened [MaxDepth][]byte // names of the elements that are open
	texts  []byte           // holds a text that has entities or several parts
}

type xmlAttr struct{ name, value []byte }

// start enters the root element.
func (r *xmlReader) start() error {
	for {
		r.space()
		if r.i == len(r.b) {
			return r.fault("no root element")
		}
		switch {
		case r.at("<?"):
			if err := r.instruction(); err != nil {
				return err
			}
		case r.at("<!--"):
			if err := r.comment(); err != nil {
				return err
			}
		case r.at("<!"):
			return r.fault("DOCTYPE and other declarations are refused")
		case r.b[r.i] == '<':
			return r.tag()
		default:
			return r.fault("%s where the root element was wanted", r.here())
		}
	}
}

// child enters the next element within the current one, or returns false at the current one's end.
func (r *xmlReader) child() (bool, error) {
	if r.empty {
		r.leave()
		return false, nil
	}
	for {
		r.space()
		switch {
		case r.i == len(r.b):
			return false, r.truncated()
		case r.b[r.i] != '<':
			return false, r.fault("%s where an element was wanted", r.here())
		case r.at("</"):
			return false, r.endTag()
		case r.at("<!--"):
			if err := r.comment(); err != nil {
				return false, err
			}
		case r.at("<?"):
			if err := r.instruction(); err != nil {
				return false, err
			}
		case r.at("<!"):
			return false, r.fault("a declaration or CDATA where an element was wanted")
		default:
			return true, r.tag()
		}
	}
}

// skip leaves the current element with everything in it.
func (r *xmlReader) skip() error {
	for level := r.depth; r.depth >= level; {
		if r.empty {
			r.leave()
			continue
		}
		_, _, err := r.characters()
		if err != nil {
			return err
		}
		switch {
		case r.at("</"):
			err = r.endTag()
		case r.at("<!--"):
			err = r.comment()
		case r.at("<?"):
			err = r.instruction()
		case r.at("<![CDATA["), !r.at("<"):
		case r.at("<!"):
			err = r.fault("a declaration where an element was wanted")
		default:
			err = r.tag()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attr returns the value of an attribute of the element that was entered last, nil if there is none.
func (r *xmlReader) attr(name string) []byte {
	for i := range r.attrs {
		if string(r.attrs[i].name) == name {
			return r.attrs[i].value
		}
	}
	return nil
}

// tag consumes a start tag.
func (r *xmlReader) tag() error {
	if r.depth == MaxDepth {
		return r.fault("nested deeper than %d levels", MaxDepth)
	}
	r.i++
	name, err := r.word()
	if err != nil {
		return err
	}
	r.name, r.empty, r.attrs = name, false, r.attrs[:0]
	r.opened[r.depth] = name
	r.depth++
	for {
		before := r.i
		r.space()
		switch {
		case r.i == len(r.b):
			return r.truncated()
		case r.b[r.i] == '>':
			r.i++
			return nil
		case r.at("/>"):
			r.i += 2
			r.empty = true
			return nil
		case before == r.i:
			return r.fault("%s within a start tag", r.here())
		}
		if err := r.attribute(); err != nil {
			return err
		}
	}
}

func (r *xmlReader) attribute() error {
	if len(r.attrs) == MaxAttributes {
		return r.fault("more than %d attributes", MaxAttributes)
	}
	name, err := r.word()
	if err != nil {
		return err
	}
	if r.attr(string(name)) != nil {
		return r.fault("attribute %s is there twice", quote(name))
	}
	r.space()
	if !r.at("=") {
		return r.fault("attribute %s has no value", quote(name))
	}
	r.i++
	r.space()
	if !r.at(`"`) && !r.at("'") {
		return r.fault("the value of attribute %s is not quoted", quote(name))
	}
	quoted := r.b[r.i]
	r.i++
	n := bytes.IndexByte(r.b[r.i:], quoted)
	if n < 0 {
		return r.truncated()
	}
	if n > MaxText {
		return r.fault("attribute of %d bytes, the limit is %d", n, MaxText)
	}
	value := r.b[r.i : r.i+n : r.i+n]
	if bytes.IndexByte(value, '<') >= 0 {
		return r.fault("'<' in the value of attribute %s", quote(name))
	}
	r.i += n
	if bytes.IndexByte(value, '&') >= 0 {
		if value, err = r.expand(make([]byte, 0, n), value); err != nil {
			return err
		}
	}
	r.attrs = append(r.attrs, xmlAttr{name, value})
	r.i++
	return nil
}

// endTag consumes the end tag of the current element.
func (r *xmlReader) endTag() error {
	at := r.i
	r.i += len("</")
	name, err := r.word()
	if err != nil {
		return err
	}
	r.space()
	if !r.at(">") {
		if r.i == len(r.b) {
			return r.truncated()
		}
		return r.fault("%s within an end tag", r.here())
	}
	if open := r.opened[r.depth-1]; !bytes.Equal(name, open) {
		r.i = at
		return r.fault("end of %s where the end of %s was wanted", quote(name), quote(open))
	}
	r.i++
	r.leave()
	return nil
}

func (r *xmlReader) leave() {
	r.empty = false
	r.depth--
}

// word consumes the name of an element or attribute.
func (r *xmlReader) word() ([]byte, error) {
	begin := r.i
	for r.i < len(r.b) && wordByte(r.b[r.i], r.i == begin) {
		r.i++
	}
	n := r.i - begin
	switch {
	case n == 0 && r.i == len(r.b):
		return nil, r.truncated()
	case n == 0:
		return nil, r.fault("%s where a name was wanted", r.here())
	}
	return r.b[begin:r.i:r.i], nil
}

// wordByte reports whether c may be a part of a name. Which characters beyond ASCII may be is not looked at: none does harm.
func wordByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf:
		return true
	}
	return !first && (c >= '0' && c <= '9' || c == '-' || c == '.')
}

func (r *xmlReader) comment() error     { return r.past("<!--", "-->") }
func (r *xmlReader) instruction() error { return r.past("<?", "?>") }

// past consumes markup up to its end mark.
func (r *xmlReader) past(begin, end string) error {
	n := bytes.Index(r.b[r.i+len(begin):], []byte(end))
	if n < 0 {
		return r.truncated()
	}
	r.i += len(begin) + n + len(end)
	return nil
}

func (r *xmlReader) at(mark string) bool {
	return len(r.b)-r.i >= len(mark) && string(r.b[r.i:r.i+len(mark)]) == mark
}

func (r *xmlReader) space() {
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
func (r *xmlReader) here() string {
	c, _ := utf8.DecodeRune(r.b[r.i:])
	return strconv.QuoteRune(c)
}

func (r *xmlReader) truncated() error {
	r.i = len(r.b)
	return r.fault("ends too early: the body is truncated")
}

// fault returns an error about the current place.
func (r *xmlReader) fault(format string, args ...any) error {
	return &DecodeError{Format: "xml", Offset: r.i, Problem: fmt.Sprintf(format, args...)}
}
