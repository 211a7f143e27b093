package access

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster/internal/store"
)

// visitor is one connection. It remembers who was behind its last request, so that a client that keeps its connection proves
// itself once: after that a request costs one comparison of its Authorization header.
type visitor struct {
	local *Principal // by the control socket; nil: not
	from  string     // whom limits charge when nothing is shown
	last  atomic.Pointer[seen]
}

// seen is who somebody was while the tokens were these.
type seen struct {
	shown     string // the Authorization header; "" none
	tokens    []*store.Token
	principal *Principal
}

type visitorKey struct{}

// Meet is for http.Server.ConnContext: requests on that connection are then known again by [Door.Who].
func (d *Door) Meet(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, &visitor{from: address(c.RemoteAddr().String())})
}

// MeetLocal is Meet for a connection that the system lets nobody open but the user with that ID: it is trusted with everything.
func (d *Door) MeetLocal(ctx context.Context, uid int) context.Context {
	return context.WithValue(ctx, visitorKey{}, &visitor{local: local(uid), from: "local"})
}

func visitorOf(r *http.Request) *visitor {
	v, _ := r.Context().Value(visitorKey{}).(*visitor)
	return v
}

// known returns the principal of the last request if this one shows the same and the tokens have not changed, else nil.
func (v *visitor) known(shown string, tokens []*store.Token) *Principal {
	if v == nil {
		return nil
	}
	s := v.last.Load()
	if s == nil || s.shown != shown || !same(s.tokens, tokens) {
		return nil
	}
	if p := s.principal; p.expires.IsZero() || time.Now().Before(p.expires) {
		return p
	}
	return nil
}

// same reports whether both are the one list: a keeper gives the same slice as long as nothing has changed.
func same(a, b []*store.Token) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
