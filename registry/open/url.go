package open

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// URL is a registry's address. Unlike net/url's it has a list of hosts, IPv6 among them, and prints without its secrets.
type URL struct {
	Scheme string // lower case, without the s that means TLS
	TLS    bool   // by the scheme
	User   string // user or user:password, decoded
	Hosts  []Host
	Path   string // decoded, without the slash before it
	Query  url.Values
}

// Limits of what is read.
const (
	maxURL   = 8192 // bytes
	maxHosts = 64
)

// Parse reads scheme://[user[:password]@]host[:port],…[/path][?query], or scheme:[path] for what has no host.
//
// Errors: Invalid; the text shows no secret.
func Parse(raw string) (*URL, error) {
	if len(raw) > maxURL {
		return nil, invalid("a registry URL of %d bytes, at most %d are read", len(raw), maxURL)
	}
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || !isScheme(scheme) {
		return nil, invalid("%q is not a registry URL: it begins with no scheme such as muster://; this build has: %s", Mask(raw), Schemes)
	}
	u := &URL{Scheme: strings.ToLower(scheme)}
	if name, ok := strings.CutSuffix(u.Scheme, "s"); ok && networked(name) {
		u.Scheme, u.TLS = name, true
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '#' || r == 0x7f }) {
		return nil, invalid("%s: '#', spaces and control characters must be percent-encoded", Mask(raw))
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") {
		return nil, invalid("%s: '@' is there after '?': nested URLs must be percent-encoded", Mask(raw))
	}
	var err error
	if u.Query, err = url.ParseQuery(query); err != nil {
		return nil, invalid("%s: what follows '?' is not key=value&…, percent-encoded", Mask(raw))
	}
	for k, v := range u.Query {
		if len(v) > 1 {
			return nil, invalid("%s: the parameter %q is given %d times", Mask(raw), k, len(v))
		}
	}
	path := rest
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		authority, path, _ = strings.Cut(authority, "/")
		if strings.Contains(path, "@") {
			return nil, invalid("%s: '@' is there after the hosts: user and password must be percent-encoded", Mask(raw))
		}
		if err := u.parseAuthority(authority); err != nil {
			return nil, invalid("%s: %w", Mask(raw), err)
		}
	} else if strings.Contains(rest, "@") {
		return nil, invalid("%s: '@' is there, but no host: scheme://user:password@host is the shape", Mask(raw))
	}
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, invalid("%s: the path is not percent-encoded right", Mask(raw))
	}
	return u, nil
}

func (u *URL) parseAuthority(authority string) error {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, err := url.PathUnescape(authority[:at])
		if err != nil {
			return constError("user and password must be percent-encoded")
		}
		u.User, authority = user, authority[at+1:]
	}
	if authority == "" {
		return constError("no host is named; scheme://127.0.0.1:port/ is the shape")
	}
	var err error
	u.Hosts, err = SplitHosts(authority)
	return err
}

// String prints the URL without its secrets: passwords read ***, in nested URLs too.
func (u *URL) String() string {
	var b strings.Builder
	b.WriteString(u.name() + ":")
	if len(u.Hosts) > 0 || u.User != "" {
		b.WriteString("//")
		b.WriteString(maskUser(u.User))
		for i, h := range u.Hosts {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(h.String())
		}
		if u.Path != "" {
			b.WriteByte('/')
		}
	}
	b.WriteString((&url.URL{Path: u.Path}).EscapedPath())
	for i, k := range slices.Sorted(maps.Keys(u.Query)) {
		b.WriteByte("&?"[btoi(i == 0)])
		b.WriteString(url.QueryEscape(k) + "=" + url.QueryEscape(maskValue(k, u.Query.Get(k))))
	}
	return b.String()
}

// name is the scheme as it was written.
func (u *URL) name() string {
	if u.TLS {
		return u.Scheme + "s"
	}
	return u.Scheme
}

// Mask prints a URL without its secrets, also one that cannot be read: then everything before its last @ may be one.
func Mask(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || len(raw) > maxURL {
		if at := strings.LastIndexByte(raw, '@'); at >= 0 {
			return "***" + raw[at:]
		}
		return clip(raw)
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "***" + rest[at:]
	}
	if before, query, ok := strings.Cut(rest, "?"); ok {
		pairs := strings.Split(query, "&")
		for i, p := range pairs {
			k, v, _ := strings.Cut(p, "=")
			if text, err := url.QueryUnescape(v); err != nil || maskValue(k, text) != text {
				pairs[i] = k + "=***"
			}
		}
		rest = before + "?" + strings.Join(pairs, "&")
	}
	return clip(scheme + "://" + rest)
}

func maskUser(user string) string {
	if user == "" {
		return ""
	}
	name, _, ok := strings.Cut(user, ":")
	if !ok {
		return "***@" // alone it may be a token
	}
	return url.PathEscape(name) + ":***@"
}

func maskValue(key, value string) string {
	switch strings.ToLower(key) {
	case "password", "pass", "secret", "token", "auth":
		return "***"
	}
	if strings.Contains(value, "@") || strings.Contains(value, "://") && strings.Contains(value, "?") {
		if u, err := Parse(value); err == nil && !strings.Contains(u.Path, "@") {
			return u.String()
		}
		return "***"
	}
	return value
}

// networked reports whether a scheme has a form with TLS.
func networked(scheme string) bool {
	switch scheme {
	case "muster", "eureka", "etcd", "zk", "amqp":
		return true
	}
	return false
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= s[i] && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.')) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func clip(s string) string {
	if len(s) > 256 {
		return s[:256] + "…"
	}
	return s
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

type constError string

func (e constError) Error() string { return string(e) }
