package muster

import "fmt"

// Status is what an instance, or the back end on its behalf, reports about itself. Whether it may get traffic is another
// question: see [Instance.Effective].
type Status uint8

const (
	Unknown      Status = iota // nothing was said
	Starting                   // registered, not ready
	Up                         // ready
	OutOfService               // alive, takes no new work
	Down                       // says it is broken or leaving
)

var statusNames = [...]string{"unknown", "starting", "up", "out_of_service", "down"}

// String gives the lower-case name that the CLI, the JSON forms and metrics use.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// ParseStatus reads a name as [Status.String] writes it, without regard to ASCII case; "" is Unknown.
//
// Errors: Invalid.
func ParseStatus(s string) (Status, error) {
	if s == "" {
		return Unknown, nil
	}
	for i, name := range statusNames {
		if EqualFold(s, name) {
			return Status(i), nil
		}
	}
	return Unknown, &Error{Op: "parse status", Code: Invalid, Err: fmt.Errorf("%q is not one of starting, up, out_of_service, down, unknown", s)}
}

// MarshalText writes the name; its error is always nil.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
//
// Errors: Invalid.
func (s *Status) UnmarshalText(b []byte) error {
	v, err := ParseStatus(string(b))
	if err == nil {
		*s = v
	}
	return err
}
