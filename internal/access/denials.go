package access

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// denials keeps the log short: who is denied for the same reason again and again is told of once in a while. The zero value is
// ready to use.
type denials struct {
	mu sync.Mutex // guards by
	by map[denial]*told
}

// denial is what is told of once.
type denial struct{ who, from, why string }

// told is when it was, and how often it was not since.
type told struct {
	at    time.Time
	since int
}

const (
	tellEvery  = time.Minute
	maxDenials = 1024 // that are told apart; all others are one
)

// Denied logs that r was answered 401 or 403: who it was as far as that is known, from where, for what, and why. The same of the
// same is logged once a minute; tokens never are.
func (d *Door) Denied(r *http.Request, status int) {
	who, why := d.denied(r, status)
	d.tell(denial{who, r.RemoteAddr, why}, slog.String("request", clip(r.Method+" "+r.URL.EscapedPath())))
}

// DeniedHandshake logs that a connection from an address was not taken because of the client's certificate.
func (d *Door) DeniedHandshake(remote, why string) { d.tell(denial{"", remote, clip(why)}) }

// denied is who sent r, and why that was denied; unlike [Door.Who] it counts nothing.
func (d *Door) denied(r *http.Request, status int) (who, why string) {
	p := d.anonymous
	headers := r.Header["Authorization"]
	if len(headers) > 0 {
		p, who, why = lookup(d.current(), headers)
	} else if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		certified, err := d.certified(r.TLS.VerifiedChains[0][0], d.current())
		if p = certified; err != nil {
			why = err.Error()
		}
	}
	switch {
	case why != "":
		return who, why
	case p.Anonymous() && p.shown == "" && status == http.StatusUnauthorized:
		return "", "no token was shown"
	case p.Anonymous() && p.shown == "":
		return "", http.StatusText(status)
	}
	return cmp.Or(p.name, p.shown), "it may: " + cmp.Or(p.rights.String(), "nothing") + p.where()
}

// tell logs a denial unless it was told a moment ago.
func (d *Door) tell(what denial, more ...any) {
	remote := what.from
	what.from = address(remote)
	since, ok := d.denials.add(what, time.Now())
	if !ok {
		return
	}
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	attrs := append([]any{slog.String("who", cmp.Or(what.who, "anonymous")), slog.String("address", remote), slog.String("because", what.why)}, more...)
	if since > 0 {
		attrs = append(attrs, slog.Int("more_since_the_last", since))
	}
	d.opt.Log.Warn("denied; the same is told once a minute", attrs...)
}

// add reports whether a denial is to be told now, and how many of it were not since it last was.
func (n *denials) add(what denial, now time.Time) (since int, tell bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by[what] == nil && len(n.by) >= maxDenials {
		for k, t := range n.by {
			if now.Sub(t.at) >= tellEvery {
				delete(n.by, k)
			}
		}
		if len(n.by) >= maxDenials {
			what = denial{}
		}
	}
	t := n.by[what]
	if t != nil && now.Sub(t.at) < tellEvery {
		t.since++
		return 0, false
	}
	if n.by == nil {
		n.by = map[denial]*told{}
	}
	if t != nil {
		since = t.since
	}
	n.by[what] = &told{at: now}
	return since, true
}

// clip bounds what somebody else wrote.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
