package httprpc_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/rpc/httprpc"
)

// The first attempt is slow and well; the body for the one beside it cannot be had.
func TestAHedgeThatHasNoBodyLeavesTheFirstAttemptAlone(t *testing.T) {
	f, s := newStage(t, "PUT")
	s.play(func(n int, w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		io.WriteString(w, "good")
	})
	req, err := http.NewRequestWithContext(httprpc.WithHedge(t.Context()), "PUT", "http://orders/", strings.NewReader("what is ordered"))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }
	resp, err := f.web.Do(req)
	if err != nil {
		t.Fatalf("the first attempt was under way and well, but: %v", err)
	}
	if got := read(t, resp); got != "good" {
		t.Errorf("got %q", got)
	}
}
