package httprpc

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster"
)

// formatLoad writes the value of Muster-Load: "n=3, us=12000, drain". n is the number of requests inside, us their median
// latency in microseconds, left out when it is not known, and drain stands there when the server is about to stop. It is a
// dictionary in the sense of RFC 9651, so that more can be said later.
func formatLoad(l muster.Load) string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(append(b, "n="...), int64(max(l.InFlight, 0)), 10)
	if us := (l.Latency + time.Microsecond/2).Microseconds(); l.Latency > 0 {
		b = strconv.AppendInt(append(b, ", us="...), max(us, 1), 10)
	}
	if l.Draining {
		b = append(b, ", drain"...)
	}
	return string(b)
}

// What a Muster-Load may say at most. A value beyond it is no load but a defect, and choosing by it would be worse than
// knowing nothing.
const (
	maxLoadHeader = 256
	maxInFlight   = 10_000_000
	maxLatency    = time.Hour
)

// parseLoad reads what formatLoad wrote. Words that it does not know are skipped; a value without n, or with one that is out
// of bounds or not a number, says nothing.
func parseLoad(s string) (l muster.Load, ok bool) {
	if len(s) > maxLoadHeader {
		return muster.Load{}, false
	}
	for word := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(strings.Trim(word, " \t"), "=")
		switch name {
		case "n":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n > maxInFlight {
				return muster.Load{}, false
			}
			l.InFlight, ok = int(n), true
		case "us":
			us, err := strconv.ParseUint(value, 10, 63)
			if err != nil || us > uint64(maxLatency.Microseconds()) {
				return muster.Load{}, false
			}
			l.Latency = time.Duration(us) * time.Microsecond
		case "drain":
			l.Draining = value == "" || value == "?1"
		}
	}
	if !ok {
		return muster.Load{}, false
	}
	return l, true
}

// isProbe says whether a request asks for nothing but the load.
func isProbe(r *http.Request) bool {
	v := r.Header[ProbeHeader]
	return len(v) > 0 && v[0] == "1" && (r.Method == http.MethodHead || r.Method == http.MethodGet)
}

// wantsLoad says whether the answer to a request is to tell the load.
func wantsLoad(r *http.Request) bool { return len(r.Header[LoadHeader]) > 0 }

// tellLoad writes the load into the head of an answer.
func tellLoad(h http.Header, l muster.Load) { h[LoadHeader] = []string{formatLoad(l)} }
