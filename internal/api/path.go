package api

import (
	"net/http"
	"net/url"
	"strings"
)

// slash is how an instance ID that is one slash travels through the mux, which takes the path segment "%2F" for the end of a
// path with a trailing slash. No ID has a control character, so this one stands for nothing else.
const slash = "\x00/"

// routable returns r with its path such that the mux takes every segment for what it says; nearly always that is r itself. The mux
// would clean "." and "..", and answer an empty segment with a redirect, to where the same request may mean something else.
//
// Errors: Invalid, when a segment is empty.
func routable(r *http.Request) (*http.Request, error) {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	if !strings.Contains(path, "/.") && !strings.Contains(path, "//") && !strings.Contains(path, "/%2F") && !strings.Contains(path, "/%2f") {
		return r, nil
	}
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, s := range segments {
		switch {
		case s == "" && 0 < i && i < len(segments)-1:
			return nil, invalid("the path has nothing between two slashes: is a name empty?")
		case s == ".", s == "..":
			segments[i] = strings.ReplaceAll(s, ".", "%2E")
		case strings.EqualFold(s, "%2F"):
			segments[i] = "%00%2F"
		}
	}
	raw := strings.Join(segments, "/")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, invalid("the path is malformed: %w", err)
	}
	out, u := new(*r), new(*r.URL)
	u.Path, u.RawPath = path, raw
	out.URL = u
	return out, nil
}

// idOf undoes what routable did to an ID.
func idOf(s string) string {
	if s == slash {
		return "/"
	}
	return s
}
