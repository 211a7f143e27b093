package nativewire

import (
	"encoding/binary"

	"github.com/muster-go/muster"
)

// FrameType is the media type of the binary heartbeat frame and of its reply.
const FrameType = "application/vnd.muster.heartbeats"

// Limits of one batch of heartbeats.
const (
	MaxBeats    = 16384               // handles in a frame
	MaxNamed    = 1024                // leases in a batch by name
	MaxFrame    = header + MaxBeats*8 // bytes of a frame
	MaxReply    = 2*header + MaxBeats*5
	header      = 8
	frameMagic  = "mhb1" // the last character is the version
	replyMagic  = "mhr1"
	lapsedBytes = 5
)

// Lapsed is one lease of a frame that was not extended.
type Lapsed struct {
	Index int // position in the frame, from 0
	Code  muster.Code
}

// AppendFrame appends a frame of handles to b, at most [MaxBeats]:
//
//	"mhb1" · count uint32 · count × handle uint64        (little endian)
func AppendFrame(b []byte, handles []Handle) []byte {
	b = append(b, frameMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(handles)))
	for _, h := range handles {
		b = binary.LittleEndian.AppendUint64(b, uint64(h))
	}
	return b
}

// Frame is a checked frame; it reads from the bytes it was made of.
type Frame []byte

// ParseFrame checks a frame. It copies nothing.
//
// Errors: Invalid.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) < header || string(b[:4]) != frameMagic {
		return nil, malformed("not a heartbeat frame: %d bytes that do not begin with %q", len(b), frameMagic)
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > MaxBeats {
		return nil, malformed("heartbeat frame of %d handles, at most %d are allowed", n, MaxBeats)
	}
	if len(b) != header+int(n)*8 {
		return nil, malformed("heartbeat frame of %d handles has %d bytes, want %d: truncated, or not a frame", n, len(b), header+int(n)*8)
	}
	return Frame(b[header:]), nil
}

// Len is the number of handles.
func (f Frame) Len() int { return len(f) / 8 }

// Handle is the one at position i.
func (f Frame) Handle(i int) Handle { return Handle(binary.LittleEndian.Uint64(f[i*8:])) }

// AppendReply appends the answer to a frame of count handles:
//
//	"mhr1" · count uint32 · lapsed uint32 · lapsed × (index uint32 · code uint8)     (little endian; 1 not_found, 2 conflict)
func AppendReply(b []byte, count int, lapsed []Lapsed) []byte {
	b = append(b, replyMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(count))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(lapsed)))
	for _, l := range lapsed {
		b = binary.LittleEndian.AppendUint32(b, uint32(l.Index))
		code := byte(1)
		if l.Code == muster.Conflict {
			code = 2
		}
		b = append(b, code)
	}
	return b
}

// ParseReply reads the answer to a frame of count handles.
//
// Errors: Invalid.
func ParseReply(b []byte, count int) ([]Lapsed, error) {
	if len(b) < header+4 || string(b[:4]) != replyMagic {
		return nil, malformed("not an answer to heartbeats: %d bytes that do not begin with %q", len(b), replyMagic)
	}
	if n := binary.LittleEndian.Uint32(b[4:]); int64(n) != int64(count) {
		return nil, malformed("answer to %d heartbeats, %d were sent", n, count)
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if int64(n) > int64(count) || len(b) != header+4+int(n)*lapsedBytes {
		return nil, malformed("answer to heartbeats says %d lapsed of %d in %d bytes: truncated", n, count, len(b))
	}
	lapsed := make([]Lapsed, n)
	for i, b := 0, b[header+4:]; i < len(lapsed); i, b = i+1, b[lapsedBytes:] {
		index := binary.LittleEndian.Uint32(b)
		if int64(index) >= int64(count) {
			return nil, malformed("answer to heartbeats names position %d of %d", index, count)
		}
		lapsed[i] = Lapsed{Index: int(index)}
		switch b[4] {
		case 1:
			lapsed[i].Code = muster.NotFound
		case 2:
			lapsed[i].Code = muster.Conflict
		default:
			return nil, malformed("answer to heartbeats has the unknown code %d", b[4])
		}
	}
	return lapsed, nil
}

// Heartbeats asks for heartbeats by name: for leases without a handle, and to learn why a handle was refused.
type Heartbeats struct {
	Items []Heartbeat `json:"items" minItems:"1" maxItems:"1024" nullable:"false"`
}

// Heartbeat names one lease and its owner.
type Heartbeat struct {
	Service string `json:"service" example:"ORDERS"`
	ID      string `json:"id" example:"10.0.0.7:8080"`
	Owner   string `json:"owner" doc:"As registered" example:"b6f1c2d3e4a59788"`
}

// HeartbeatAnswers answers [Heartbeats], in the same order.
type HeartbeatAnswers struct {
	Items []HeartbeatAnswer `json:"items" nullable:"false"`
}

// HeartbeatAnswer is the answer for one lease: extended, with the handle to use from now on, or why not.
type HeartbeatAnswer struct {
	Handle Handle      `json:"handle,omitempty" doc:"Names the lease from now on" example:"00c5a1b2c3d4e5f6"`
	Code   muster.Code `json:"code,omitempty" doc:"Absent: extended. not_found: register again. conflict: another owner holds it, stop" example:"not_found"`
}
