package nativewire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestEveryCodeSurvivesTheWire(t *testing.T) {
	for _, code := range []muster.Code{
		muster.Invalid, muster.Denied, muster.Unsupported, muster.NotFound, muster.Conflict, muster.NoInstance, muster.Unavailable,
		muster.Timeout, muster.Canceled, muster.Rejected, muster.Exhausted, muster.Closed, muster.Internal,
	} {
		in := &muster.Error{Op: "register", Service: "S", Instance: "a/b", Code: code, After: 2 * time.Second, Err: errors.New("because")}
		text, err := json.Marshal(nativewire.FromError(in))
		if err != nil {
			t.Fatal(err)
		}
		var p nativewire.Problem
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		if got := p.Err(); got.Error() != in.Error() || got.Code != code || got.After != in.After {
			t.Errorf("%s came back as %v after %v", text, got, got.After)
		}
		if p.Status < 400 || p.Title == "" {
			t.Errorf("%s: status %d, title %q", code, p.Status, p.Title)
		}
	}
}

func TestWrappedErrorKeepsItsWholeText(t *testing.T) {
	err := fmt.Errorf("outer: %w", &muster.Error{Code: muster.NotFound, Err: errors.New("inner")})
	if p := nativewire.FromError(err); p.Detail != err.Error() || p.Code != muster.NotFound {
		t.Errorf("problem %+v, want the text %q", p, err)
	}
	if p := nativewire.FromError(context.DeadlineExceeded); p.Code != muster.Timeout {
		t.Errorf("code %s, want timeout", p.Code)
	}
}

func TestProblemOfAStrangerIsToldByItsStatus(t *testing.T) {
	for status, want := range map[int]muster.Code{
		401: muster.Denied, 403: muster.Denied, 404: muster.NotFound, 405: muster.Unsupported, 409: muster.Conflict,
		412: muster.Conflict, 418: muster.Invalid, 429: muster.Rejected, 500: muster.Internal, 501: muster.Unsupported,
		502: muster.Unavailable, 503: muster.Unavailable, 504: muster.Timeout, 507: muster.Exhausted,
	} {
		p := nativewire.Problem{Status: status, Code: "made_up"}
		if got := p.Err().Code; got != want {
			t.Errorf("status %d: code %s, want %s", status, got, want)
		}
	}
}
