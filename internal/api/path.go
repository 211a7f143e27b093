package api

import (
	"net/http"
	"net/url"
	"strings"
)

// slash is how an instance ID that is one slash travels through the mux, which takes the path segment "%2F" for the end of a
// path with a trailing slash. No ID has a control character, so this one stands for nothing else.
const slash = "\x00/"

// routable returns r with every path segment "%2F" made palatable to the mux; nearly always that is r itself.
func routable(r *http.Request) *http.Request {
	raw := r.URL.RawPath
	if !strings.Contains(raw, "/%2F") && !strings.Contains(raw, "/%2f") {
		return r
	}
	segments := strings.Split(raw, "/")
	found := false
	for i, s := range segments {
		if strings.EqualFold(s, "%2F") {
			segments[i], found = "%00%2F", true
		}
	}
	if !found {
		return r
	}
	path, err := url.PathUnescape(strings.Join(segments, "/"))
	if err != nil {
		return r
	}
	out, u := new(*r), new(*r.URL)
	u.Path, u.RawPath = path, strings.Join(segments, "/")
	out.URL = u
	return out
}

// idOf undoes what routable did to an ID.
func idOf(s string) string {
	if s == slash {
		return "/"
	}
	return s
}
