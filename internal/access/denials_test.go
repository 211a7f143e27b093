package access_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/internal/access"
)

func TestDenialsAreLoggedOnceAMinuteByWhoAndWhyAndNeverWithTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, first := token("gone", nil, "read")
		late, second := token("late", nil, "read")
		second.Expires = time.Now().Add(time.Second)
		small, third := token("small", nil, "register:ORDERS*")
		k := newKeeper(first, second, third)
		var log bytes.Buffer
		d := access.New(access.Options{Tokens: k, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if _, err := d.Who(request("Bearer " + gone)); err != nil {
			t.Fatal(err)
		}
		k.without("gone")
		time.Sleep(2 * time.Second)
		ask := func(header string, status, times int) {
			for range times {
				r := request(header)
				if header == "" {
					r = request()
				}
				r.RemoteAddr = "10.0.0.7:4711"
				d.Denied(r, status)
			}
		}
		says := func(times int, words ...string) {
			t.Helper()
			got := 0
			for line := range strings.Lines(log.String()) {
				all := strings.Contains(line, "level=WARN") && strings.Contains(line, "address=10.0.0.7 ")
				for _, w := range words {
					all = all && strings.Contains(line, w)
				}
				if all {
					got++
				}
			}
			if got != times {
				t.Errorf("%d lines with %q, want %d:\n%s", got, words, times, log.String())
			}
		}
		ask("Bearer "+gone, 401, 5)
		ask("Bearer "+late, 401, 5)
		ask("Bearer "+small, 403, 5)
		ask("Bearer nonsense", 401, 5)
		ask("", 401, 5)
		says(1, "who=token:gone", "was revoked", `request="GET /`)
		says(1, "who=token:late", "expired at")
		says(1, "who=token:small", "it may: register:ORDERS*")
		says(1, "who=anonymous", "no token of muster serve")
		says(1, "who=anonymous", "no token was shown")
		time.Sleep(time.Minute)
		ask("Bearer "+gone, 401, 3)
		says(1, "who=token:gone", "more_since_the_last=4")
		for _, secret := range []string{gone, late, small, "nonsense"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

func TestDenialsOfManyAddressesDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := access.New(access.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 5000 {
			r := request()
			r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)
			d.Denied(r, 401)
		}
		if n := strings.Count(log.String(), "\n"); n != 1025 {
			t.Errorf("%d lines, want one for each of 1024 and one for the rest", n)
		}
	})
}
