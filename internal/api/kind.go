package api

import (
	"net/http"
	"net/url"
	"strings"
)

// IsWatch reports whether a request that reads is a watch's, a stream or a long poll, which goes on for as long as its reader likes.
func IsWatch(r *http.Request) bool { return at(r.URL, pathWatch) }

// IsHeartbeat reports whether a request keeps leases.
func IsHeartbeat(r *http.Request) bool { return r.Method == http.MethodPost && at(r.URL, pathBeats) }

// IsAct reports whether a request is what operators send.
func IsAct(r *http.Request) bool {
	return r.Method == http.MethodDelete || r.Method == http.MethodPut && (at(r.URL, pathIntent) || at(r.URL, pathOverride))
}

// at reports whether a URL is of that path, as the mux tells it: segment by segment, each decoded by itself, so that neither a name
// that reads like a part of the path nor a part of the path written otherwise is mistaken.
func at(u *url.URL, pattern string) bool {
	path, encoded := u.Path, u.RawPath != ""
	if encoded {
		path = u.EscapedPath()
	}
	for {
		want, wants, wantsMore := strings.Cut(pattern, "/")
		have, rest, more := strings.Cut(path, "/")
		if encoded && strings.Contains(have, "%") {
			have, _ = url.PathUnescape(have) // EscapedPath is well-formed
		}
		switch {
		case wantsMore != more || have != want && (have == "" || !strings.HasPrefix(want, "{")):
			return false
		case !more:
			return true
		}
		pattern, path = wants, rest
	}
}
