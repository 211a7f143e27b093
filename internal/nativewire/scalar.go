package nativewire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/muster-go/muster"
)

// Duration is written the way Go prints it: "30s", "1m30s".
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
//
// Errors: Invalid.
func (d *Duration) UnmarshalText(b []byte) error {
	if len(b) > 32 {
		return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("a duration of %d characters, such as 30s or 1m30s is meant", len(b))}
	}
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("%q is not a duration such as 30s or 1m30s", b)}
	}
	*d = Duration(v)
	return nil
}

// Handle names a lease in batched heartbeats. In JSON it is 16 hexadecimal digits, because JavaScript has no 64-bit numbers.
type Handle uint64

// MarshalText writes the handle.
func (h Handle) MarshalText() ([]byte, error) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(h))
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText reads what MarshalText wrote.
//
// Errors: Invalid.
func (h *Handle) UnmarshalText(text []byte) error {
	var b [8]byte
	if len(text) != 16 {
		return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("a handle of %d characters, 16 hexadecimal digits are meant", len(text))}
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("handle %q is not 16 hexadecimal digits", text)}
	}
	*h = Handle(binary.BigEndian.Uint64(b[:]))
	return nil
}
