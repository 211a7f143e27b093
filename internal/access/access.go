// Package access says who asks and what they may do, for every face of muster serve.
//
// A [Door] stands in front of all faces. It finds the [Principal] behind a request by a token, a client certificate or the
// socket it came in by, and [Principal.May] alone decides whether that one may do an [Act]. A face adds no rule of its own:
// it says which act a request is and writes the [Refusal] in its own form.
package access

import (
	"fmt"

	"github.com/muster-go/muster"
)

// Act is what somebody wants to do.
type Act struct {
	Verb      Verb
	Namespace string // "" is the server as a whole
	Service   string // "" is none in particular: of Register, any right to register in the namespace is enough
}

// Verb is the kind of an act. The zero value is none, which nobody may.
type Verb uint8

const (
	_        Verb = iota
	Visit         // see what one may read, wherever that is; the face leaves the rest out
	Read          // lists, watch, audit, intents, metrics
	Register      // register, keep, change and deregister what is one's own
	Operate       // intents, overrides, deregister what is another's
	Admin         // tokens, backup
)

// String reads as in a sentence: "register service ORDERS in namespace default".
func (a Act) String() string {
	what := [...]string{"do nothing", "read anything", "read", "register", "operate", "administer"}[min(a.Verb, Admin)]
	switch {
	case a.Verb == Visit:
		return what
	case a.Verb == Admin && a.Namespace == "":
		return "administer this server"
	case a.Namespace == "":
		return what + " the server as a whole"
	case a.Service == "" && a.Verb == Read:
		return what + " namespace " + a.Namespace
	case a.Service == "":
		return what + " in namespace " + a.Namespace
	}
	return what + " service " + a.Service + " in namespace " + a.Namespace
}

// Level is what those may who do not say who they are. None of them includes administering.
type Level uint8

const (
	None     Level = iota // nothing
	ReadOnly              // read
	All                   // read, register and operate
)

func (l Level) String() string { return [...]string{"none", "read", "all"}[min(l, All)] }

// ParseLevel reads what [Level.String] writes.
//
// Errors: Invalid.
func ParseLevel(s string) (Level, error) {
	for l := range All + 1 {
		if s == l.String() {
			return l, nil
		}
	}
	return None, invalid("%.40q is not one of none, read, all", s)
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
