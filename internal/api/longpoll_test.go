package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestLongPollAnswersAtTheNextChange(t *testing.T) {
	f := newFace(t, api.Options{})
	f.want(200, "PUT", one, body)
	for _, scope := range []string{"", "&service=orders"} {
		list := decode[nativewire.List[nativewire.Instance]](f, f.want(200, "GET", watchPath+"?wait=10s"+scope, "").Body)
		if len(list.Items) != 1 {
			t.Fatalf("%d items, want 1", len(list.Items))
		}
		w := f.want(304, "GET", watchPath+"?wait=10ms&revision="+list.Revision+scope, "")
		if w.Body.Len() > 0 {
			t.Errorf("304 with the body %q", w.Body)
		}
		var poll sync.WaitGroup
		poll.Go(func() {
			got := f.do("GET", watchPath+"?wait=10s&revision="+list.Revision+scope, "")
			if got.Code != 200 || !strings.Contains(got.Body.String(), list.Items[0].ID) {
				t.Errorf("the poll answered %d %s", got.Code, got.Body)
			}
		})
		f.want(200, "PUT", one, strings.Replace(body, ":80", fmt.Sprint(":81", len(scope)), 1))
		poll.Wait()
	}
}
