package eurekaserver

import "net/http"

// IsHeartbeat reports whether a request keeps a lease.
func IsHeartbeat(r *http.Request) bool {
	if r.Method != http.MethodPut {
		return false
	}
	rt, ok := parse(r.URL)
	return ok && rt.what == instance
}

// IsAct reports whether a request is what operators send, or ends something.
func IsAct(r *http.Request) bool {
	if r.Method == http.MethodDelete {
		return true
	}
	if r.Method != http.MethodPut {
		return false
	}
	rt, ok := parse(r.URL)
	return ok && rt.what == status
}
