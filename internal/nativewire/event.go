package nativewire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-go/muster"
)

// EventType is the media type of the watch stream.
const EventType = "text/event-stream"

// The kinds of events.
const (
	Reset   = "reset"   // the list begins anew: Listing counts what follows
	Put     = "put"     // an Instance was added or replaced
	Delete  = "delete"  // the instance named by Deleted is gone
	Sync    = "sync"    // all of the above up to here is one consistent state; carries the id
	Confirm = "confirm" // nothing has changed since the last sync; carries the id again
	End     = "end"     // nothing follows, for the reason that its Problem says: the token was revoked, or has expired
)

// MaxScope is the most services that a watch may name; leave them out to watch all.
const MaxScope = 1024

// MaxEvent bounds the bytes of one event: an instance with all its metadata escaped, and then some.
const MaxEvent = 256 * 1024

// Listing is the data of a reset: what the list that follows consists of.
type Listing struct {
	Services  int `json:"services"`
	Instances int `json:"instances"`
}

// Deleted is the data of a delete.
type Deleted struct {
	Service string `json:"service"`
	ID      string `json:"id"`
}

// Event is one event of the watch stream.
type Event struct {
	Kind string
	ID   string // a Position; only sync and confirm carry one
	Data []byte // JSON; valid until the next call of Next
}

// AppendEvent appends the event in its text form. data must be JSON without line breaks.
func AppendEvent(b []byte, kind, id string, data []byte) []byte {
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(append(append(b, "event: "...), kind...), "\ndata: "...)
	return append(append(b, data...), "\n\n"...)
}

// Position is a place in a namespace's feed of changes: it grows within one epoch, and epochs cannot be compared.
type Position struct {
	Epoch, Seq uint64
}

// String reads "5f1d3a9c0b7e2468.1042".
func (p Position) String() string { return string(p.AppendTo(nil)) }

// AppendTo appends the text form to b.
func (p Position) AppendTo(b []byte) []byte {
	b = append(strconv.AppendUint(b, p.Epoch, 16), '.')
	return strconv.AppendUint(b, p.Seq, 10)
}

// ParsePosition reads what String wrote; ok is false for anything else.
func ParsePosition(s string) (p Position, ok bool) {
	epoch, seq, found := strings.Cut(s, ".")
	if !found || len(s) > 40 {
		return Position{}, false
	}
	var err error
	if p.Epoch, err = strconv.ParseUint(epoch, 16, 64); err != nil {
		return Position{}, false
	}
	if p.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return Position{}, false
	}
	return p, p.String() == s
}

// EventReader reads a watch stream. It is not safe for concurrent use.
type EventReader struct {
	r    *bufio.Reader
	line []byte
	data []byte
}

// NewEventReader reads from r, buffered.
func NewEventReader(r io.Reader) *EventReader {
	return &EventReader{r: bufio.NewReaderSize(r, 32*1024)}
}

// Next returns the next event. Comments are skipped.
//
// Errors: Invalid (not our stream, or an event beyond [MaxEvent]); else the reader's, io.EOF at the end of the stream and
// io.ErrUnexpectedEOF within an event.
func (r *EventReader) Next() (Event, error) {
	var ev Event
	size, lines := 0, 0
	r.data = r.data[:0]
	for {
		line, err := r.readLine()
		if err == io.EOF && (lines > 0 || len(line) > 0) {
			return Event{}, io.ErrUnexpectedEOF
		}
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if lines == 0 {
				continue
			}
			ev.Data = r.data
			return ev, nil
		}
		if line[0] == ':' {
			continue
		}
		if size += len(line); size > MaxEvent {
			return Event{}, tooLong()
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		lines++
		switch string(field) {
		case "event":
			ev.Kind = kindOf(value)
		case "id":
			ev.ID = string(value)
		case "data":
			if len(r.data) > 0 {
				r.data = append(r.data, '\n')
			}
			r.data = append(r.data, value...)
		case "retry":
		default:
			return Event{}, malformed("not an event stream: the line %q came", clip(line))
		}
	}
}

// readLine returns a line without its end; it is valid until the next call.
func (r *EventReader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		part, err := r.r.ReadSlice('\n')
		if err == nil && len(r.line) == 0 {
			return bytes.TrimSuffix(part[:len(part)-1], []byte("\r")), nil
		}
		r.line = append(r.line, part...)
		if len(r.line) > MaxEvent {
			return nil, tooLong()
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return r.line, err
		}
		return bytes.TrimRight(r.line, "\r\n"), nil
	}
}

// DecodeInstance reads the data of a put.
//
// Errors: Invalid.
func (e *Event) DecodeInstance() (*muster.Instance, error) {
	var w Instance
	if err := e.decode(&w); err != nil {
		return nil, err
	}
	in, err := w.Instance()
	if err != nil {
		return nil, malformed("event put %q: %w", clip(e.Data), err)
	}
	return in, nil
}

// DecodeDeleted reads the data of a delete.
//
// Errors: Invalid.
func (e *Event) DecodeDeleted() (Deleted, error) {
	var d Deleted
	err := e.decode(&d)
	if err == nil && (d.Service == "" || d.ID == "") {
		err = malformed("event delete %q names no instance", clip(e.Data))
	}
	return d, err
}

// DecodeListing reads the data of a reset.
//
// Errors: Invalid.
func (e *Event) DecodeListing() (Listing, error) {
	var l Listing
	err := e.decode(&l)
	if err == nil && (l.Services < 0 || l.Instances < 0) {
		err = malformed("event reset %q counts below zero", clip(e.Data))
	}
	return l, err
}

// DecodeEnd reads the data of an end. A problem that says nothing is Denied.
//
// Errors: Invalid.
func (e *Event) DecodeEnd() (*Problem, error) {
	p := &Problem{Status: http.StatusUnauthorized, Code: muster.Denied}
	if err := e.decode(p); err != nil {
		return nil, err
	}
	return p, nil
}

func (e *Event) decode(v any) error {
	if err := json.Unmarshal(e.Data, v); err != nil {
		return malformed("event %s %q: %w", e.Kind, clip(e.Data), err)
	}
	return nil
}

// kindOf avoids an allocation for the kinds that exist.
func kindOf(b []byte) string {
	for _, k := range [...]string{Put, Sync, Delete, Confirm, Reset, End} {
		if string(b) == k {
			return k
		}
	}
	return string(b)
}

func tooLong() error { return malformed("event of more than %d bytes", MaxEvent) }

func clip(b []byte) string {
	if len(b) > 80 {
		return fmt.Sprintf("%s…", b[:80])
	}
	return string(b)
}
