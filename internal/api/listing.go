package api

import (
	"encoding/base64"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// listing is a list of instances on its way out.
type listing struct {
	services []*store.Service
	revision string
	after    string // instance ID to go on after, in the first service
	left     int    // items still to be written; negative: all
	next     string // cursor
	late     bool   // only those whose heartbeats are missing
}

// page limits the list to the items after the cursor.
func (l *listing) page(limit int, cursor muster.Key) {
	l.left = -1
	if limit > 0 {
		l.left = limit
	}
	if cursor.ID == "" {
		return
	}
	service := muster.Fold(cursor.Service)
	i := sort.Search(len(l.services), func(i int) bool { return muster.Fold(l.services[i].Name) >= service })
	l.services = l.services[i:]
	if len(l.services) > 0 && muster.EqualFold(l.services[0].Name, service) {
		l.after = cursor.ID
	}
}

const (
	pieceSize  = 64 << 10 // bytes of a list or stream that are handed to the connection at one time
	smallPiece = 1 << 10  // bytes of a buffer that a stream keeps between two writes
)

// writeListing writes the list piece by piece; a reader that does not take a piece in time is let go.
func (a *API) writeListing(w http.ResponseWriter, r *http.Request, l *listing) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	p := a.pieces(w)
	defer p.free()
	p.begun = time.Now()
	p.b = append(p.b, `{"items":[`...)
	first := true
	for i, s := range l.services {
		records := s.Records
		if i == 0 && l.after != "" {
			records = records[sort.Search(len(records), func(i int) bool { return records[i].Instance.ID > l.after }):]
		}
		for _, rec := range records {
			if l.left == 0 {
				break
			}
			var since time.Time
			if l.late {
				if since = rec.Late(); since.IsZero() {
					continue
				}
			}
			if !first {
				p.b = append(p.b, ',')
			}
			first = false
			p.b = appendItem(p.b, rec, since)
			if p.flush(false) != nil {
				return
			}
			if l.left--; l.left == 0 && !l.isLast(i, rec) {
				l.next = cursorOf(rec.Instance)
			}
		}
	}
	p.b = append(p.b, `],"revision":"`...)
	p.b = append(p.b, l.revision...)
	p.b = append(p.b, '"')
	if l.next != "" {
		p.b = append(append(append(p.b, `,"next":"`...), l.next...), '"')
	}
	p.b = append(p.b, "}\n"...)
	_ = p.flush(true)
}

func (l *listing) isLast(i int, rec *store.Record) bool {
	records := l.services[i].Records
	return i == len(l.services)-1 && records[len(records)-1] == rec
}

// pieces gathers bytes into pieces and writes each with a deadline of its own. Call free when no more follow soon: the next
// append begins a new buffer.
type pieces struct {
	b       []byte
	buffers *sync.Pool // of *[]byte
	w       http.ResponseWriter
	ctl     *http.ResponseController
	begun   time.Time // of a list; zero: the writes have no end
	bytes   int64     // written
}

func (a *API) pieces(w http.ResponseWriter) *pieces {
	p := &pieces{buffers: &a.buffers, w: w, ctl: http.NewResponseController(w)}
	if buf, ok := a.buffers.Get().(*[]byte); ok {
		p.b = (*buf)[:0]
	}
	return p
}

// free hands the buffer to whoever writes next.
func (p *pieces) free() {
	b := p.b[:0]
	if p.b = nil; cap(b) > 0 && cap(b) <= MaxBody {
		p.buffers.Put(&b)
	}
}

// A list holds on to the moment that it is of, and to every record that has been replaced since. So its reader may take its time
// for a while, and then must take so much of it in a second.
const (
	listWithin = 15 * time.Second
	listRate   = 64 << 10 // bytes a second
)

const errTooSlow = constError("the reader takes too long")

// flush writes what was gathered if it fills a piece, or if all of it must go.
//
// Errors: the connection's, or that the list is read too slowly.
func (p *pieces) flush(all bool) error {
	if len(p.b) < pieceSize && !all || len(p.b) == 0 {
		return nil
	}
	_ = p.ctl.SetWriteDeadline(time.Now().Add(writeWithin)) // recorders in tests have none
	n, err := p.w.Write(p.b)
	p.b = p.b[:0]
	if p.bytes += int64(n); err == nil && !p.begun.IsZero() && time.Since(p.begun) > listWithin+time.Duration(p.bytes/listRate)*time.Second {
		_ = p.ctl.SetWriteDeadline(time.Unix(1, 0)) // the connection must not end as if that had been all
		return errTooSlow
	}
	return err
}

// fragment is the record as the API shows it, kept with the record.
func fragment(rec *store.Record) []byte {
	return rec.Fragment(store.FormNative, func(b []byte) []byte { return appendRecord(b, rec) })
}

// appendItem appends the record to a list. Since when it is late is no part of its fragment, which lasts until it changes.
func appendItem(b []byte, rec *store.Record, late time.Time) []byte {
	if late.IsZero() {
		return append(b, fragment(rec)...)
	}
	in := nativewire.FromInstance(rec.Instance)
	in.Late = late.UTC()
	return in.AppendTo(b)
}

// appendRecord appends the record as the API shows it.
func appendRecord(b []byte, rec *store.Record) []byte {
	in := nativewire.FromInstance(rec.Instance)
	return in.AppendTo(b)
}

// cursorOf names a place in a list: after that instance.
func cursorOf(in *muster.Instance) string {
	return base64.RawURLEncoding.EncodeToString([]byte(in.Service + "/" + in.ID))
}

func parseCursor(s string) (muster.Key, error) {
	if s == "" {
		return muster.Key{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	service, id, ok := strings.Cut(string(b), "/")
	if err != nil || !ok || id == "" || len(s) > 1024 {
		return muster.Key{}, invalid("cursor %q is not one of ours: start again without", s)
	}
	return muster.Key{Service: service, ID: id}, nil
}
