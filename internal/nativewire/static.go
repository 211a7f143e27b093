package nativewire

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-go/muster"
)

// MaxStaticDetail bounds what the audit says of a static instance in one record, in bytes.
const MaxStaticDetail = 8 << 10

const (
	staticIs  = "static: "
	staticWas = "was static: "
)

// StaticDetail is the Detail of an audit record about a static instance: the flags of `muster register` that make it what it
// was before the act, and what it is after; nil means that it was not or is not there. Who undoes the act types them, for
// nobody registers a static instance again by itself.
func StaticDetail(before, after *muster.Instance) string {
	var parts []string
	if after != nil {
		parts = append(parts, staticIs+StaticFlags(after))
	}
	if before != nil {
		parts = append(parts, staticWas+StaticFlags(before))
	}
	out := strings.Join(parts, "; ")
	if len(out) <= MaxStaticDetail {
		return out
	}
	in := after
	if in == nil {
		in = before
	}
	return fmt.Sprintf("static, at %v; its labels, or those before, are too long for the audit", in.Endpoints)
}

// ParseStaticDetail gives back the flags of before and after; ok is false where the detail has none.
func ParseStaticDetail(detail string) (before, after string, ok bool) {
	if flags, only := strings.CutPrefix(detail, staticWas); only {
		return flags, "", true
	}
	rest, ok := strings.CutPrefix(detail, staticIs)
	if !ok {
		return "", "", false
	}
	after, before, _ = cutUnquoted(rest, "; "+staticWas)
	return before, after, true
}

// StaticFlags are the flags of `muster register` for a static instance, its ID aside, quoted for a shell.
func StaticFlags(in *muster.Instance) string {
	var parts []string
	for _, e := range in.Endpoints {
		parts = append(parts, "--url "+ShellQuote(e.String()))
	}
	if in.Zone != "" {
		parts = append(parts, "--zone "+ShellQuote(in.Zone))
	}
	if in.Version != "" {
		parts = append(parts, "--version "+ShellQuote(in.Version))
	}
	if in.Tier != 0 {
		parts = append(parts, "--tier "+strconv.Itoa(in.Tier))
	}
	if in.Weight != nil {
		parts = append(parts, "--weight "+strconv.Itoa(*in.Weight))
	}
	for _, k := range slices.Sorted(maps.Keys(in.Metadata)) {
		if k != muster.BecauseKey {
			parts = append(parts, "-l "+ShellQuote(k+"="+in.Metadata[k]))
		}
	}
	return strings.Join(parts, " ")
}

// ShellQuote writes s so that a POSIX shell reads it as one word; what needs no quotes has none.
func ShellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,[]", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// cutUnquoted cuts s at the first sep that stands outside quotes.
func cutUnquoted(s, sep string) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case quoted:
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], sep):
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}
