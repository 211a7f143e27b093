package eurekawire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of what is decoded. They are far above what Eureka's clients send, and low enough that no body costs more than its size.
const (
	MaxInstanceBytes     = 1 << 20  // body with one instance
	MaxApplicationsBytes = 1 << 28  // body with a list
	MaxDepth             = 32       // nested objects, arrays or elements
	MaxEntries           = 1 << 21  // applications and instances of one list
	MaxFields            = 512      // fields of one object or children of one element, metadata and lists apart
	MaxMetadata          = 1024     // entries of one metadata map
	MaxName              = 256      // bytes of a metadata key
	MaxText              = 64 << 10 // bytes of one value
	MaxAttributes        = 16       // attributes of one element
)

// Fault says what kind of mistake a DecodeError is about, so that a server can choose the status of its answer.
type Fault uint8

// The faults, each with the HTTP status that fits it.
const (
	Malformed       Fault = iota // 400: the body is not what it should be
	TooLarge                     // 413: the body is longer than the limit
	UnsupportedType              // 415: the content type is neither JSON nor XML
)

// DecodeError is why a body could not be decoded, and where.
type DecodeError struct {
	Fault   Fault
	Format  string // "json" or "xml", "" if the type is unsupported
	Offset  int    // bytes from the start of the body to the place
	Path    string // field at which it happened, such as "instance.port"; may be empty
	Problem string // what is wrong
}

// Error returns a text such as `eureka json, byte 31, at instance.port: "x" is not a port, want 0 to 65535`.
func (e *DecodeError) Error() string {
	if e.Format == "" {
		return "eureka: " + e.Problem
	}
	if e.Path == "" {
		return fmt.Sprintf("eureka %s, byte %d: %s", e.Format, e.Offset, e.Problem)
	}
	return fmt.Sprintf("eureka %s, byte %d, at %s: %s", e.Format, e.Offset, e.Path, e.Problem)
}

// DecodeInstance reads the instance that a client posts, as JSON or XML by contentType. The answer to GET apps/APP/ID has the same
// form and can be read too, if its data centre is one of Netflix's.
//
// It accepts a superset of what Netflix's server does; beyond it: a port as a bare number, a data centre without class or with its
// metadata before its name, a status in any case, unknown arrays. What is missing is filled as Java does: ports 7001 and 7002, status
// UP, override UNKNOWN, country 1, lease periods 30 and 90 s where a lease is given, and the instance ID from Amazon's instance-id,
// else the host name. Timestamps that are missing stay 0: there is no clock here. Use Validate to find what a registration lacks.
//
// Errors: *DecodeError.
// Source: Netflix eureka, EurekaJacksonCodec.InstanceInfoDeserializer and Converters.InstanceInfoConverter.
func DecodeInstance(contentType string, body []byte) (*Instance, error) {
	format, body, skipped, err := open(contentType, body, MaxInstanceBytes)
	if err != nil {
		return nil, err
	}
	d := decoder{}
	var in *Instance
	if format == "json" {
		in, err = d.jsonInstanceDocument(body)
	} else {
		in, err = d.xmlInstanceDocument(body)
	}
	if err != nil {
		return nil, shift(err, skipped)
	}
	return in, nil
}

// DecodeApplications reads a list as servers answer it: GET apps, apps/delta, vips/V, svips/V, and apps/APP as a list of one.
//
// It reads current servers and those up to 1.1, which write a list of one as the element itself and numbers as strings. Unknown fields
// are ignored, and a data centre is taken as it is. An instance that cannot be read is left out and reported in Skipped; a list that
// cannot be read to its end is an error, never a part of it.
//
// Errors: *DecodeError.
func DecodeApplications(contentType string, body []byte) (*Applications, error) {
	format, body, skipped, err := open(contentType, body, MaxApplicationsBytes)
	if err != nil {
		return nil, err
	}
	d := decoder{fromServer: true}
	var list *Applications
	if format == "json" {
		list, err = d.jsonApplicationsDocument(body)
	} else {
		list, err = d.xmlApplicationsDocument(body)
	}
	if err != nil {
		return nil, shift(err, skipped)
	}
	return list, nil
}

// decoder holds what the two formats share while one body is read.
type decoder struct {
	fromServer bool // take the data centre as it is: whoever runs the server has accepted it
	entries    int  // applications and instances so far
}

// entry counts one more application or instance of a list and returns what is wrong with that, "" for nothing.
func (d *decoder) entry() (problem string) {
	if d.entries == MaxEntries {
		return fmt.Sprintf("more than %d applications and instances", MaxEntries)
	}
	d.entries++
	return ""
}

// open checks what can be checked before reading: type, size, encoding. It returns the body without a byte order mark and the length
// of that mark.
func open(contentType string, body []byte, limit int) (format string, rest []byte, skipped int, err error) {
	switch {
	case containsFold(contentType, "json"):
		format = "json"
	case containsFold(contentType, "xml"):
		format = "xml"
	default:
		problem := fmt.Sprintf("content type %s is not supported, send application/json or application/xml", quote([]byte(contentType)))
		return "", nil, 0, &DecodeError{Fault: UnsupportedType, Problem: problem}
	}
	if len(body) > limit {
		problem := fmt.Sprintf("body of %d bytes is longer than the limit of %d", len(body), limit)
		return "", nil, 0, &DecodeError{Fault: TooLarge, Format: format, Offset: limit, Problem: problem}
	}
	if rest, found := bytes.CutPrefix(body, []byte("\ufeff")); found {
		body, skipped = rest, len("\ufeff")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return "", nil, 0, &DecodeError{Format: format, Offset: len(body), Problem: "body is empty"}
	}
	if !utf8.Valid(body) {
		return "", nil, 0, &DecodeError{Format: format, Offset: skipped + invalidAt(body), Problem: "body is not UTF-8"}
	}
	return format, body, skipped, nil
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(body []byte) int {
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(body)
}

func containsFold(s, lower string) bool {
	return strings.Contains(s, lower) || strings.Contains(strings.ToLower(s), lower)
}

// shift moves the offset of err by the length of the byte order mark that was cut off.
func shift(err error, n int) error {
	if e, ok := err.(*DecodeError); ok {
		e.Offset += n
	}
	return err
}

// within prefixes the path of err with the name of the field that was being read.
func within(name string, err error) error {
	if e, ok := err.(*DecodeError); ok {
		if e.Path == "" {
			e.Path = name
		} else {
			e.Path = name + "." + e.Path
		}
	}
	return err
}

// plain returns the name of a field for a path: as it is if it looks like one, else quoted.
func plain(name []byte) string {
	for i, c := range name {
		if !wordByte(c, false) && c != '@' && c != '$' || c >= utf8.RuneSelf || i == MaxName/4 {
			return quote(name)
		}
	}
	return string(name)
}

// quote returns bytes from outside for an error text: quoted, cut to a few characters.
func quote(b []byte) string {
	const most = 40
	if len(b) > most {
		return fmt.Sprintf("%q…", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
