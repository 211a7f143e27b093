package httprpc

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/muster-go/muster"
)

// The headers of this package, in canonical form.
const (
	CallerHeader   = "Muster-Caller"   // of a request: who calls, as [Peer.String] writes it
	PriorityHeader = "Muster-Priority" // of a request: critical or sheddable; anything else is the default
	TimeoutHeader  = "Muster-Timeout"  // of a request: how long the caller will wait, in whole milliseconds from now
	UnsentHeader   = "Muster-Unsent"   // of a 503 or 504: no work was done, so the request may be sent to another instance
	KeyHeader      = "Idempotency-Key" // of a request: requests with the same key are carried out once

	// LoadHeader on a request, whatever its value, asks the server to say how busy it is. On the answer it is that:
	// "n=3, us=12000, drain" for three requests inside, this one not counted, a median latency of 12 ms at about that many,
	// and a server that is about to stop. Callers that do not ask are not told.
	LoadHeader = "Muster-Load"

	// ProbeHeader on a GET or HEAD, with the value 1, asks for the load and nothing else, on any path: the answer is an
	// empty 204 with a LoadHeader. It passes no gate and reaches no handler, also while the server drains. Only instances
	// that were registered with [muster.ProbeKey], as [Serve] does, may be asked: to others it is a request.
	ProbeHeader = "Muster-Probe"
)

// Peer is who says that it calls; each field may be empty. It is a claim, not a proof.
type Peer struct {
	Service  string
	Instance string
	Zone     string
}

// String reads "service/instance; zone=name", without what is empty; instance and zone are percent-encoded.
func (p Peer) String() string {
	s := p.Service
	if p.Instance != "" {
		s += "/" + url.PathEscape(p.Instance)
	}
	if p.Zone != "" {
		s += "; zone=" + url.PathEscape(p.Zone)
	}
	return s
}

// ParsePeer reads what String wrote. Parameters that it does not know are skipped.
//
// Errors: Invalid.
func ParsePeer(s string) (Peer, error) {
	if len(s) > maxPeer {
		return Peer{}, badHeader(CallerHeader, s[:64], fmt.Errorf("%d bytes, at most %d are allowed", len(s), maxPeer))
	}
	name, rest, _ := strings.Cut(s, ";")
	service, id, _ := strings.Cut(strings.TrimSpace(name), "/")
	p := Peer{Service: service}
	err := muster.CheckService(service)
	if err == nil {
		p.Instance, err = unescape(id, muster.MaxID)
	}
	for part := range strings.SplitSeq(rest, ";") {
		if zone, ok := strings.CutPrefix(strings.TrimSpace(part), "zone="); ok && err == nil {
			p.Zone, err = unescape(zone, muster.MaxZone)
		}
	}
	if err != nil {
		return Peer{}, badHeader(CallerHeader, s, err)
	}
	return p, nil
}

// maxPeer allows for an ID and a zone of which every byte is percent-encoded.
const maxPeer = muster.MaxServiceName + 3*muster.MaxID + 3*muster.MaxZone + 64

func unescape(s string, limit int) (string, error) {
	s, err := url.PathUnescape(s)
	if err != nil || s == "" {
		return "", err
	}
	if len(s) > limit {
		return "", fmt.Errorf("%d bytes, at most %d are allowed", len(s), limit)
	}
	return s, muster.CheckID(s)
}

func badHeader(name, value string, err error) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf("header %s %q: %w", name, value, err)}
}

func parsePriority(s string) muster.Priority {
	switch s {
	case "critical":
		return muster.Critical
	case "sheddable":
		return muster.Sheddable
	}
	return muster.DefaultPriority
}

func priorityValues(p muster.Priority) []string {
	switch p {
	case muster.Critical:
		return []string{"critical"}
	case muster.Sheddable:
		return []string{"sheddable"}
	}
	return nil
}

// priorityFor is what a request says, or else what the request says that it is made for.
func priorityFor(req *http.Request) muster.Priority {
	if v := req.Header[PriorityHeader]; len(v) > 0 {
		return parsePriority(v[0])
	}
	return Priority(req.Context())
}
