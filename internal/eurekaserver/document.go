package eurekaserver

import (
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/muster-go/muster/internal/eurekawire"
)

// document is the body of an answer: pieces that are written one after the other. It is immutable.
type document struct {
	form   eurekawire.Form
	gzip   bool
	pieces [][]byte
	size   int // bytes of all pieces
}

// smallest is the length from which compressing a single document is worth its time.
const smallest = 1 << 10

// single returns a document of one piece, compressed if that is wanted and worth it.
func (s *Server) single(f eurekawire.Form, packed bool, build func(b []byte) []byte) *document {
	body := build(nil)
	if !packed || len(body) < smallest {
		return &document{form: f, pieces: [][]byte{body}, size: len(body)}
	}
	return assemble(f, true, []part{s.presses.press(body)})
}

// assemble joins parts to a document: as they are, or as one gzip stream (RFC 1952) of parts that were pressed.
func assemble(f eurekawire.Form, packed bool, parts []part) *document {
	d := &document{form: f, gzip: packed, pieces: make([][]byte, 0, len(parts)+2)}
	if packed {
		d.add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}) // deflate, no name, no time, unknown system
	}
	var sum checksum
	for i := range parts {
		d.add(parts[i].bytes)
		sum.add(&parts[i])
	}
	if packed {
		d.add(sum.trailer())
	}
	return d
}

func (d *document) add(piece []byte) {
	d.pieces = append(d.pieces, piece)
	d.size += len(piece)
}

// Pieces from gather bytes on are written as they are; smaller ones are collected, to save system calls. No more than stride bytes
// are written at one time, so that a slow reader needs to take only so much in the time it has.
const (
	gather = 32 << 10
	stride = 1 << 20
)

// write answers with a document.
func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, d *document) {
	h := w.Header()
	h["Content-Type"] = []string{d.form.ContentType()}
	h["Content-Length"] = []string{strconv.Itoa(d.size)}
	h["Vary"] = []string{"Accept, Accept-Encoding, X-Eureka-Accept"}
	if d.gzip {
		h["Content-Encoding"] = []string{"gzip"}
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	if len(d.pieces) == 1 && d.size < gather {
		_, _ = w.Write(d.pieces[0]) // the reader may be gone
		return
	}
	s.writePieces(w, d.pieces)
}

// writePieces writes until the reader is gone or takes too long for one piece.
func (s *Server) writePieces(w http.ResponseWriter, pieces [][]byte) {
	buf := s.scratch()
	defer s.free(buf)
	if cap(*buf) < 2*gather {
		*buf = make([]byte, 0, 2*gather)
	}
	conn := http.NewResponseController(w)
	send := func(b []byte) bool {
		for part := range slices.Chunk(b, stride) {
			_ = conn.SetWriteDeadline(time.Now().Add(writeWithin)) // recorders in tests have none
			if _, err := w.Write(part); err != nil {
				return false
			}
		}
		return true
	}
	held := (*buf)[: 0 : 2*gather]
	for _, p := range pieces {
		if len(held) > 0 && (len(p) >= gather || len(held)+len(p) > cap(held)) {
			if !send(held) {
				return
			}
			held = held[:0]
		}
		if len(p) < gather {
			held = append(held, p...)
			continue
		}
		if !send(p) {
			return
		}
	}
	if len(held) > 0 {
		send(held)
	}
}

// part is a piece that can be joined with others: plain bytes, or a run of deflate blocks that ends on a byte and refers to nothing
// before itself.
type part struct {
	bytes []byte
	size  int    // before compression; 0 for a plain part
	crc   uint32 // of the bytes before compression
	shift uint32 // x to the power of 8·size, see checksum
}

// plain returns a part as it is.
func plain(b []byte) part { return part{bytes: b} }

// checksum is the CRC-32 of parts joined, computed from theirs: appending n bytes multiplies the polynomial that the sum so far
// stands for by x to the power of 8n. Source: zlib, crc32_combine.
type checksum struct {
	crc  uint32
	size uint32
}

func (c *checksum) add(p *part) {
	if p.size == 0 {
		return
	}
	c.crc = multiply(p.shift, c.crc) ^ p.crc
	c.size += uint32(p.size)
}

// trailer ends a gzip stream: an empty last block, the sum and the length, little endian.
func (c *checksum) trailer() []byte {
	return []byte{
		3, 0,
		byte(c.crc), byte(c.crc >> 8), byte(c.crc >> 16), byte(c.crc >> 24),
		byte(c.size), byte(c.size >> 8), byte(c.size >> 16), byte(c.size >> 24),
	}
}

// one is the polynomial 1: bits are reversed, the highest stands for x⁰.
const one = 1 << 31

// multiply returns a·b modulo CRC-32's polynomial.
func multiply(a, b uint32) (product uint32) {
	for m := uint32(one); m != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
		}
		carry := b & 1
		if b >>= 1; carry != 0 {
			b ^= crc32.IEEE
		}
	}
	return product
}

// shiftOf returns x to the power of 8n, by squaring.
func shiftOf(n int) uint32 {
	power, square := uint32(one), uint32(one>>8)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return power
}

// scratch returns a buffer for free.
func (s *Server) scratch() *[]byte {
	if buf, ok := s.buffers.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

// free keeps a buffer for the next scratch, unless one large list made it large.
func (s *Server) free(buf *[]byte) {
	if cap(*buf) <= MaxBody {
		s.buffers.Put(buf)
	}
}
