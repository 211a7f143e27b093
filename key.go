package muster

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Key names one instance. Names are kept as they were written and compared without ASCII case ([Key.Fold]).
type Key struct {
	Namespace string // environment or tenant
	Service   string
	ID        string
}

// DefaultNamespace is used where none is given.
const DefaultNamespace = "default"

// Lengths, in bytes, that everything from outside is held to.
const (
	MaxServiceName   = 128       // also namespaces
	MaxID            = 256       // instance ID
	MaxZone          = 128       // also versions
	MaxEndpoints     = 16        // per instance
	MaxMetadata      = 128       // entries per instance
	MaxMetadataKey   = 256       // bytes of one key
	MaxMetadataBytes = 16 * 1024 // keys and values of one instance together
	MaxText          = 1024      // a note, a reason
	MaxWeight        = 10_000
)

// String reads "service/id", or "namespace:service/id" outside the default namespace.
func (k Key) String() string {
	s := k.Service + "/" + k.ID
	if k.Namespace != "" && k.Namespace != DefaultNamespace {
		s = k.Namespace + ":" + s
	}
	return s
}

// Fold returns the key by which maps must store k: namespace and service in ASCII lower case, the ID unchanged.
// IDs are compared exactly, because back ends do.
func (k Key) Fold() Key {
	return Key{Fold(k.Namespace), Fold(k.Service), k.ID}
}

// Fold returns s with ASCII letters in lower case; it allocates only if there is something to change.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return foldFrom(s, i)
		}
	}
	return s
}

func foldFrom(s string, i int) string {
	b := []byte(s)
	for ; i < len(b); i++ {
		if c := b[i]; 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// EqualFold reports whether two names are the same, not regarding ASCII case.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

// CheckNamespace says whether s may name a namespace: 1 to 128 of letters, digits, '.', '_' and '-', starting with a letter
// or digit.
//
// Errors: Invalid.
func CheckNamespace(s string) error { return checkName("namespace", s) }

// CheckService says whether s may name a service: 1 to 128 of letters, digits, '.', '_', '-', starting with a letter or
// digit. Back ends with narrower keys escape what they cannot hold.
//
// Errors: Invalid.
func CheckService(s string) error { return checkName("service", s) }

func checkName(what, s string) error {
	if s == "" {
		return invalid("%s name is empty", what)
	}
	if len(s) > MaxServiceName {
		return invalid("%s name %q… has %d bytes, at most %d are allowed", what, s[:32], len(s), MaxServiceName)
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return invalid("%s name %q: %q at byte %d is not allowed (letters, digits, and after the first also . _ -)", what, s, c, i)
		}
	}
	return nil
}

// CheckID says whether s may be an instance ID: 1 to 256 bytes of UTF-8 without control characters.
//
// Errors: Invalid.
func CheckID(s string) error {
	if s == "" {
		return invalid("instance id is empty")
	}
	return checkText("instance id", s, MaxID)
}

func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return invalid("%s has %d bytes, at most %d are allowed", what, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return invalid("%s %q is not UTF-8", what, s)
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return invalid("%s %q has a control character", what, s)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &Error{Code: Invalid, Err: fmt.Errorf(format, args...)}
}
