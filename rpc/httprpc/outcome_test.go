package httprpc_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/rpc/httprpc"
)

func TestEveryStatusHasACode(t *testing.T) {
	for _, c := range []struct {
		code     muster.Code
		statuses []int
	}{
		{"", []int{200, 201, 202, 204, 206}},
		{muster.Unsupported, []int{301, 302, 304, 307, 308, 405, 426, 501, 505}},
		{muster.Invalid, []int{400, 406, 411, 413, 414, 415, 416, 417, 418, 421, 422, 424, 431}},
		{muster.Denied, []int{401, 402, 403, 407, 451}},
		{muster.NotFound, []int{404, 410}},
		{muster.Timeout, []int{408, 504}},
		{muster.Conflict, []int{409, 412, 423, 428}},
		{muster.Exhausted, []int{429, 507}},
		{muster.Unavailable, []int{502, 503}},
		{muster.Internal, []int{500, 506, 508, 510, 511, 599}},
	} {
		for _, status := range c.statuses {
			if got := httprpc.CodeOf(status); got != c.code {
				t.Errorf("%d: %q, want %q", status, got, c.code)
			}
		}
	}
}

func TestRetryAfterReachesTheCaller(t *testing.T) {
	f := newFleet(t, nil)
	for _, c := range []struct {
		value    string
		min, max time.Duration
	}{
		{"7", 7 * time.Second, 7 * time.Second},
		{"0", 0, 0},
		{"-1", 0, 0},
		{"99999999", time.Hour, time.Hour},
		{"soon", 0, 0},
		{time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat), 30 * time.Second, 91 * time.Second},
		{"Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
	} {
		service := fmt.Sprintf("s%d", time.Now().UnixNano())
		f.serveFunc(service, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", c.value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := httprpc.GetJSON[int](t.Context(), f.transport, service, "/")
		e, ok := errors.AsType[*muster.Error](err)
		if !ok || e.Code != muster.Exhausted || e.After < c.min || e.After > c.max {
			t.Errorf("Retry-After %q: %+v, want exhausted with After from %v to %v", c.value, err, c.min, c.max)
		}
	}
}
