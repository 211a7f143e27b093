package access

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/muster-go/muster"
)

// Refusal is why a request is not served. Faces write it in their own form, with the headers that [Refusal.Header] sets.
type Refusal struct {
	Status int           // 401, 403, 429, or 503 while the tokens are being loaded
	After  time.Duration // not before this long from now; 0 does not say
	text   string
}

// Error says who one is, what is missing and what to do.
func (e *Refusal) Error() string { return e.text }

// Unwrap gives the code: Denied, Rejected (429), Unavailable (503).
func (e *Refusal) Unwrap() error {
	switch e.Status {
	case http.StatusTooManyRequests:
		return muster.Rejected
	case http.StatusServiceUnavailable:
		return muster.Unavailable
	}
	return muster.Denied
}

// Header sets what goes with the status: how to say who one is, and when to come again.
func (e *Refusal) Header(h http.Header) {
	if e.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{`Bearer realm="muster"`, `Basic realm="muster", charset="UTF-8"`}
	}
	if e.After > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.After+time.Second-1)/time.Second), 10))
	}
}

func refusal(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, text: fmt.Sprintf(format, args...)}
}

// refuse says that the principal may not do that.
func (p *Principal) refuse(a Act) *Refusal {
	if p.Anonymous() {
		may := "nothing"
		if len(p.rights.list) > 0 {
			may = "only " + p.rights.String()
		}
		if p.shown != "" {
			return refusal(http.StatusUnauthorized, "certificate %s has no rights here, so it may do %s, and not %v: muster token create NAME --certificate %s --allow RIGHT gives it some", clip(p.shown), may, a, clip(p.shown))
		}
		return refusal(http.StatusUnauthorized, "whoever shows no token may do %s here, and not %v: send one as Bearer or as the password of HTTP Basic; on the server's machine muster token create --data DIR makes one", may, a)
	}
	return refusal(http.StatusForbidden, "%s may not %v; it may: %s%s", p.name, a, p.rights, p.where())
}

// where is the bound of what the principal may, to stand behind its rights.
func (p *Principal) where() string {
	if p.namespace == "" {
		return ""
	}
	return " in namespace " + p.namespace + " alone"
}
