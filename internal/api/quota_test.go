package api

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// A client that used up its own quota may try later; a disk that is full is full for all.
func TestAQuotaIs429AndAFullDiskIs507(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		after  string
	}{
		{&muster.Error{Code: muster.Exhausted, After: 30 * time.Second, Err: fmt.Errorf("%w: too many", store.ErrQuota)}, 429, "30"},
		{&muster.Error{Code: muster.Exhausted, Err: errors.New("muster.db: no space left on device")}, 507, ""},
	} {
		for _, err := range []error{c.err, fail(c.err)} {
			w := httptest.NewRecorder()
			writeError(w, err)
			if w.Code != c.status || w.Header().Get("Retry-After") != c.after {
				t.Errorf("%v: answered %d, Retry-After %q; want %d, %q", c.err, w.Code, w.Header().Get("Retry-After"), c.status, c.after)
			}
		}
	}
}
