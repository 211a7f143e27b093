package eurekaserver

import (
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"github.com/muster-go/muster/internal/eurekawire"
)

// value returns the first value of name in a raw query, decoded, and whether it is there. It allocates only to decode.
func value(query, name string) (v string, ok bool, err error) {
	for q := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(q, "=")
		if k != name {
			continue
		}
		v, err = url.QueryUnescape(v)
		if err != nil {
			return "", true, fmt.Errorf("%s is not encoded as a query: %w", name, err)
		}
		return v, true, nil
	}
	return "", false, nil
}

// pairs yields the names and values of a raw query in order. It stops at the first that is not encoded right.
func pairs(query string) iter.Seq2[eurekawire.Pair, error] {
	return func(yield func(eurekawire.Pair, error) bool) {
		for q := range strings.SplitSeq(query, "&") {
			if q == "" {
				continue
			}
			k, v, _ := strings.Cut(q, "=")
			key, err := url.QueryUnescape(k)
			if err == nil {
				v, err = url.QueryUnescape(v)
			}
			if !yield(eurekawire.Pair{Key: key, Value: v}, err) || err != nil {
				return
			}
		}
	}
}

// dirtyOf returns lastDirtyTimestamp of a raw query and whether it is there; an empty one is not.
func dirtyOf(query string) (ms int64, ok bool, err error) {
	v, ok, err := value(query, "lastDirtyTimestamp")
	if err != nil || !ok || v == "" {
		return 0, false, err
	}
	ms, err = strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("lastDirtyTimestamp %.40q is not a time in milliseconds", v)
	}
	return ms, true, nil
}

// statusOf returns the status under name in a raw query. Netflix's server reads it with regard to case, so do we: what passes here
// must not fail there.
func statusOf(query, name string) (st eurekawire.Status, ok bool, err error) {
	v, ok, err := value(query, name)
	if err != nil || !ok {
		return "", false, err
	}
	st, known := eurekawire.ParseStatus(v)
	if !known || string(st) != v {
		return "", true, fmt.Errorf("%s %.40q is not a status, want UP, DOWN, STARTING, OUT_OF_SERVICE or UNKNOWN", name, v)
	}
	return st, true, nil
}
