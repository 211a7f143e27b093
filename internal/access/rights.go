package access

import (
	"slices"
	"strings"

	"github.com/muster-go/muster"
)

// Rights are what a principal may do, as a list of these:
//
//	read                 everything that can be read
//	register[:PATTERN]   register, keep, change and deregister the services that match; absent: all
//	operate[:PATTERN]    intents, overrides, deregistering what is another's; and read
//	admin                everything
//
// In a pattern * is any number of any characters; names are compared without ASCII case. The zero value is no right.
type Rights struct{ list []right }

type right struct {
	verb    Verb
	pattern string // of services; "" matches all
}

// MaxRights is how many a token may list.
const MaxRights = 64

// ParseRights reads rights as they are written on the command line and in token records.
//
// Errors: Invalid.
func ParseRights(list []string) (Rights, error) {
	if len(list) == 0 {
		return Rights{}, invalid("no right is named; there are read, register[:PATTERN], operate[:PATTERN] and admin")
	}
	if len(list) > MaxRights {
		return Rights{}, invalid("%d rights, at most %d are allowed; a pattern with * stands for many services", len(list), MaxRights)
	}
	var out Rights
	for _, text := range list {
		r, err := parseRight(text)
		if err != nil {
			return Rights{}, err
		}
		if !slices.Contains(out.list, r) {
			out.list = append(out.list, r)
		}
	}
	return out, nil
}

func parseRight(text string) (right, error) {
	name, pattern, patterned := strings.Cut(text, ":")
	r := right{pattern: pattern}
	switch name {
	case "read":
		r.verb = Read
	case "register":
		r.verb = Register
	case "operate":
		r.verb = Operate
	case "admin":
		r.verb = Admin
	default:
		return r, invalid("%.80q is not a right; there are read, register[:PATTERN], operate[:PATTERN] and admin", text)
	}
	switch {
	case patterned && (r.verb == Read || r.verb == Admin):
		return r, invalid("%.80q: %s has no pattern of services; a namespace can bound it", text, name)
	case patterned && pattern == "":
		return r, invalid("%q: the pattern is empty; %s alone means every service", text, name)
	case len(pattern) > muster.MaxServiceName:
		return r, invalid("%.80q…: a pattern of %d bytes, at most %d are allowed", text, len(pattern), muster.MaxServiceName)
	}
	if patterned {
		if err := checkPattern(text, pattern); err != nil {
			return r, err
		}
	}
	if strings.Trim(pattern, "*") == "" {
		r.pattern = "" // as good as none
	}
	return r, nil
}

// checkPattern refuses what no service's name can match.
func checkPattern(text, pattern string) error {
	name := strings.Trim(strings.ReplaceAll(pattern, "*", ""), "._-")
	if name == "" {
		return nil
	}
	if err := muster.CheckService(name); err != nil {
		return invalid("%.80q: %q cannot match the name of a service: letters, digits, . _ - and * for any of them", text, pattern)
	}
	return nil
}

// Admin reports whether everything is allowed.
func (r Rights) Admin() bool { return slices.Contains(r.list, right{verb: Admin}) }

// String lists them, separated by commas.
func (r Rights) String() string { return strings.Join(r.List(), ", ") }

// List writes them as [ParseRights] reads them.
func (r Rights) List() []string {
	out := make([]string, 0, len(r.list))
	for _, one := range r.list {
		text := [...]string{"", "", "read", "register", "operate", "admin"}[one.verb]
		if one.pattern != "" {
			text += ":" + one.pattern
		}
		out = append(out, text)
	}
	return out
}

// grant reports whether some right of the list covers the act; its namespace is the principal's matter.
func (r Rights) grant(a Act) bool {
	for i := range r.list {
		if r.list[i].grants(a) {
			return true
		}
	}
	return false
}

func (r *right) grants(a Act) bool {
	switch r.verb {
	case Admin:
		return a.Verb != 0
	case Read:
		return a.Verb == Read || a.Verb == Visit
	case Register:
		return a.Verb == Register && (a.Service == "" || matches(r.pattern, a.Service))
	case Operate:
		return a.Verb == Read || a.Verb == Visit || a.Verb == Operate && matches(r.pattern, a.Service)
	}
	return false
}

// matches reports whether a service's name is one of the pattern's, without ASCII case. It takes time in proportion to the
// product of the lengths at the most, which are bounded, and allocates nothing.
func matches(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	p, n := 0, 0
	star, mark := -1, 0 // the last * and what it has taken so far
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && lower(pattern[p]) == lower(name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
