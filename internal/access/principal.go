package access

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Principal is who asks, as far as it is proven. It is immutable and safe for concurrent use.
type Principal struct {
	name      string // "token:NAME", "cert:NAME", "local:UID"; "" for anonymous
	shown     string // the name of a certificate that was shown and has no rights of its own
	rights    Rights
	namespace string    // "" means every one, and the server as a whole
	expires   time.Time // zero means never
	life      *life     // nil of those that cannot be revoked
}

// life is what all holders of one token share.
type life struct {
	token *store.Token
	ctx   context.Context         // ends when the token is revoked
	end   context.CancelCauseFunc // with why, for those whose answers end with it
	used  atomic.Int64            // Unix seconds of the last use; 0 none
}

// anonymous is whoever shows nothing.
func anonymous(l Level) *Principal {
	p := new(Principal)
	switch l {
	case ReadOnly:
		p.rights.list = []right{{verb: Read}}
	case All:
		p.rights.list = []right{{verb: Read}, {verb: Register}, {verb: Operate}}
	}
	return p
}

// local is whoever came in by the control socket, which the system opens to the server's own user and to root alone.
func local(uid int) *Principal {
	return &Principal{name: fmt.Sprintf("local:%d", uid), rights: Rights{list: []right{{verb: Admin}}}}
}

// May says whether the principal may do something. It is the one place where that is decided, for every face and every socket.
//
// Errors: a *[Refusal]: 401 of somebody who shows nothing, else 403.
func (p *Principal) May(a Act) error {
	if p.may(a) {
		return nil
	}
	return p.refuse(a)
}

func (p *Principal) may(a Act) bool {
	if p.namespace != "" && a.Verb != Visit && !muster.EqualFold(p.namespace, a.Namespace) {
		return false
	}
	return p.rights.grant(a)
}

// Namespace is the only namespace in which the principal may do anything; "" is every one that its rights reach.
func (p *Principal) Namespace() string { return p.namespace }

// String is what the audit calls proven: "token:deploy", "cert:orders.example", "local:1000"; "" is anonymous.
func (p *Principal) String() string { return p.name }

// Anonymous reports whether nothing was shown.
func (p *Principal) Anonymous() bool { return p.name == "" }

// Payer is whom limits charge for r: the principal, or of somebody anonymous the address, of which IPv6 counts by its network
// of 64 bits. It allocates nothing where the connection was met by [Door.Meet].
func (p *Principal) Payer(r *http.Request) string {
	if p.name != "" {
		return p.name
	}
	if v := visitorOf(r); v != nil {
		return v.from
	}
	return address(r.RemoteAddr)
}

// Hold returns a context for an answer that goes on: it ends with ctx, and when the principal is revoked or expires; its cause is
// a *[Refusal] then. Call end when the answer has ended.
func (p *Principal) Hold(ctx context.Context) (_ context.Context, end func()) {
	if p.life == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.life.ctx, func() { cancel(context.Cause(p.life.ctx)) })
	var timer *time.Timer
	if !p.expires.IsZero() {
		timer = time.AfterFunc(time.Until(p.expires), func() { cancel(refusal(http.StatusUnauthorized, "%s", p.expired())) })
	}
	return ctx, func() {
		if timer != nil {
			timer.Stop()
		}
		stop()
		cancel(nil)
	}
}

// use notes when the principal was last seen.
func (p *Principal) use(now time.Time) {
	if p.life == nil {
		return
	}
	if at := now.Unix(); p.life.used.Load() != at {
		p.life.used.Store(at)
	}
}

// address is the part of a remote address that is charged.
func address(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
