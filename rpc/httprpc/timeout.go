package httprpc

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// The headers by which other callers say what Muster-Timeout says, in canonical form and in the order in which they are asked.
const (
	grpcTimeout    = "Grpc-Timeout"                   // "250m": gRPC over HTTP/2, PROTOCOL-HTTP2.md
	deadlineMillis = "X-Request-Deadline-Ms"          // "250": what is left, not a time of day
	envoyTimeout   = "X-Envoy-Expected-Rq-Timeout-Ms" // "250": Envoy's router filter; 0 is no limit
)

const (
	maxTimeout = 24 * time.Hour // bounds what a caller may ask for
	over       = time.Nanosecond
)

// readTimeout returns how long the caller of a request will wait, by the first header that says it; 0 is that none does, and
// over that there is no time left.
//
// Errors: Invalid.
func readTimeout(h http.Header) (time.Duration, error) {
	if v := h[TimeoutHeader]; len(v) > 0 && v[0] != "" {
		return parseTimeout(v[0])
	}
	if v := h[grpcTimeout]; len(v) > 0 {
		return parseGRPCTimeout(v[0])
	}
	if v := h[deadlineMillis]; len(v) > 0 {
		d, err := parseMillis(deadlineMillis, v[0])
		return max(d, over), err
	}
	if v := h[envoyTimeout]; len(v) > 0 {
		d, err := parseMillis(envoyTimeout, v[0])
		return max(d, 0), err
	}
	return 0, nil
}

// parseTimeout reads the value of Muster-Timeout.
func parseTimeout(s string) (time.Duration, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms < 1 {
		return 0, badHeader(TimeoutHeader, s, errors.New("want whole milliseconds, 1 or more"))
	}
	return bounded(ms, time.Millisecond), nil
}

func parseMillis(name, s string) (time.Duration, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, badHeader(name, s, errors.New("want whole milliseconds"))
	}
	return bounded(ms, time.Millisecond), nil
}

// parseGRPCTimeout reads at most eight digits and a unit.
func parseGRPCTimeout(s string) (time.Duration, error) {
	bad := badHeader(grpcTimeout, s, errors.New("want 1 to 8 digits and one of H M S m u n"))
	if len(s) < 2 || len(s) > 9 {
		return 0, bad
	}
	unit := grpcUnit(s[len(s)-1])
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 {
		return 0, bad
	}
	return max(bounded(int64(n), unit), over), nil
}

func grpcUnit(c byte) time.Duration {
	switch c {
	case 'H':
		return time.Hour
	case 'M':
		return time.Minute
	case 'S':
		return time.Second
	case 'm':
		return time.Millisecond
	case 'u':
		return time.Microsecond
	case 'n':
		return time.Nanosecond
	}
	return 0
}

// bounded returns n units, between none and maxTimeout.
func bounded(n int64, unit time.Duration) time.Duration {
	if n > int64(maxTimeout/unit) {
		return maxTimeout
	}
	return time.Duration(max(n, 0)) * unit
}
