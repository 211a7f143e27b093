package access

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// Door lets requests in or refuses them. It is safe for concurrent use and starts no goroutine. A nil Door refuses everything.
type Door struct {
	opt       Options
	anonymous *Principal

	mu      sync.Mutex // held while a book is made
	book    atomic.Pointer[book]
	wrongs  wrongs
	denials denials
}

// Options configures a Door. The zero value lets nobody in.
type Options struct {
	Anonymous Level        // what those may who show nothing
	Tokens    Keeper       // nil: there are none
	Log       *slog.Logger // nil discards
}

// Keeper keeps tokens. *[store.Store] is one.
type Keeper interface {
	// Tokens returns all that are kept: the same slice as long as nothing has changed.
	Tokens() []*store.Token
	// Loaded is closed once Tokens has everything.
	Loaded() <-chan struct{}
}

// book is the tokens as they are looked up.
type book struct {
	tokens []*store.Token // as the keeper gave them
	byHash map[[32]byte]*Principal
	byCert map[string]*Principal
	byName map[string]*Principal
	gone   map[[32]byte]string // the names of those that were revoked since the server started
}

// maxGone bounds how many revoked tokens are known by name.
const maxGone = 1024

// New returns a door.
func New(opt Options) *Door {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	d := &Door{opt: opt, anonymous: anonymous(opt.Anonymous)}
	d.book.Store(new(book))
	return d
}

// Anonymous is what those may who show nothing.
func (d *Door) Anonymous() Level { return d.opt.Anonymous }

// Allow finds who sent r and whether they may do that.
//
// Errors: a *[Refusal].
func (d *Door) Allow(r *http.Request, a Act) (*Principal, error) {
	p, err := d.Who(r)
	if err != nil {
		return nil, err
	}
	if err := p.May(a); err != nil {
		return nil, err
	}
	return p, nil
}

// Who finds who sent r: by the Authorization header, else by the client's certificate; who shows neither is anonymous. On a
// connection that [Door.Meet] met it allocates nothing while the header stays the same.
//
// Errors: a *[Refusal] of credentials that are wrong, whatever anonymous ones may.
func (d *Door) Who(r *http.Request) (*Principal, error) {
	if d == nil {
		return nil, refusal(http.StatusUnauthorized, "nobody is let in")
	}
	v := visitorOf(r)
	if v != nil && v.local != nil {
		return v.local, nil
	}
	headers := r.Header["Authorization"]
	if len(headers) == 0 && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
		return d.anonymous, nil
	}
	shown := ""
	if len(headers) > 0 {
		shown = headers[0]
	}
	b := d.current()
	if p := v.known(shown, b.tokens); p != nil && len(headers) < 2 {
		p.use(time.Now())
		return p, nil
	}
	p, err := d.identify(r, b, headers)
	if err != nil {
		return nil, err
	}
	if v != nil && p.life != nil {
		v.last.Store(&seen{strings.Clone(shown), b.tokens, p})
	}
	p.use(time.Now())
	return p, nil
}

// identify looks up what a request shows.
func (d *Door) identify(r *http.Request, b *book, headers []string) (*Principal, error) {
	if !d.loaded() {
		return nil, &Refusal{http.StatusServiceUnavailable, time.Second, store.ErrLoading.Error()}
	}
	if len(headers) == 0 {
		return d.certified(r.TLS.VerifiedChains[0][0], b)
	}
	p, _, why := lookup(b, headers)
	if why != "" {
		return nil, d.wrong(r, why)
	}
	return p, nil
}

// lookup finds whose token an Authorization header shows, or says why there is nobody; name is whose it was, if that is known.
func lookup(b *book, headers []string) (p *Principal, name, why string) {
	text, why := tokenIn(headers)
	if why != "" {
		return nil, "", why
	}
	hash := HashToken(text)
	p = b.byHash[hash]
	switch {
	case p == nil && !wellFormed(text):
		return nil, "", "what is shown is no token of muster serve: was it cut, or is it a password of something else?"
	case p == nil && b.gone[hash] != "":
		return nil, b.gone[hash], b.gone[hash] + revoked
	case p == nil:
		return nil, "", "the token is not known: it was revoked, or is another server's"
	case p.over():
		return nil, p.name, p.expired()
	}
	return p, p.name, ""
}

// certified looks up the names of a certificate that was verified: URIs before DNS names, and the common name of
// one that has no other name of any kind (RFC 6125, section 6.4.4), without ASCII case
// alone: to fold more would let other letters pass for those of a token's name (U+212A for k). Who shows one without
// a token of that name is anonymous, and hears that it was seen.
func (d *Door) certified(leaf *x509.Certificate, b *book) (*Principal, error) {
	names := make([]string, 0, len(leaf.URIs)+len(leaf.DNSNames)+1)
	named := len(leaf.URIs)+len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	names = append(names, leaf.DNSNames...)
	if !named {
		names = append(names, leaf.Subject.CommonName)
	}
	for _, name := range names {
		p := b.byCert[muster.Fold(name)]
		if p == nil || name == "" {
			continue
		}
		if p.over() {
			return nil, refusal(http.StatusUnauthorized, "the rights of certificate %s expired at %s", name, p.expires.UTC().Format(time.RFC3339))
		}
		if p.expires.IsZero() || leaf.NotAfter.Before(p.expires) {
			bounded := *p
			bounded.expires = leaf.NotAfter
			p = &bounded
		}
		if p.over() {
			return nil, refusal(http.StatusUnauthorized, "the certificate of %s expired at %s", name, p.expires.UTC().Format(time.RFC3339))
		}
		return p, nil
	}
	bare := *d.anonymous
	bare.shown = cmp.Or(append(names, leaf.Subject.CommonName, "without a name")...)
	return &bare, nil
}

// tokenIn finds the token in an Authorization header, or says why there is none.
func tokenIn(headers []string) (text, why string) {
	if len(headers) > 1 {
		return "", "there is more than one Authorization header"
	}
	scheme, value, _ := strings.Cut(headers[0], " ")
	value = strings.TrimLeft(value, " ")
	switch {
	case len(value) > maxShown:
		return "", "the Authorization header is too long for a token"
	case strings.EqualFold(scheme, "Bearer"):
		return value, ""
	case strings.EqualFold(scheme, "Basic"):
		pair, err := base64.StdEncoding.DecodeString(value)
		_, password, ok := strings.Cut(string(pair), ":")
		if err != nil || !ok {
			return "", "the Authorization header is not Basic's user:password in base64"
		}
		return password, ""
	}
	return "", "the Authorization header is neither Bearer nor Basic"
}

// maxShown bounds the value of an Authorization header, in bytes.
const maxShown = 1 << 10

// wrong refuses credentials that are wrong, and whoever sends many of them with 429.
func (d *Door) wrong(r *http.Request, why string) error {
	from := address(r.RemoteAddr)
	over, first := d.wrongs.add(from, time.Now())
	if first {
		d.opt.Log.Warn("many wrong credentials; more are answered 429 for a while", "address", from, "request", clip(r.Method+" "+r.URL.EscapedPath()), "last", why)
	}
	if over {
		return &Refusal{http.StatusTooManyRequests, wrongEvery, "too many wrong credentials came from " + from + "; the last: " + why}
	}
	return refusal(http.StatusUnauthorized, "%s", why)
}

func (d *Door) loaded() bool {
	if d.opt.Tokens == nil {
		return true
	}
	select {
	case <-d.opt.Tokens.Loaded():
		return true
	default:
		return false
	}
}

// Refresh takes note of tokens that were added or removed: what is held by removed ones ends. Requests do the same by
// themselves; whoever changes tokens calls it so that nothing goes on until the next one.
func (d *Door) Refresh() { d.current() }

// LastUse is when a token was last shown since this server started; zero is never.
func (d *Door) LastUse(name string) time.Time {
	if p := d.current().byName[name]; p != nil {
		if at := p.life.used.Load(); at != 0 {
			return time.Unix(at, 0)
		}
	}
	return time.Time{}
}

// current is the book of the tokens there are now.
func (d *Door) current() *book {
	b := d.book.Load()
	if d.opt.Tokens == nil || same(b.tokens, d.opt.Tokens.Tokens()) {
		return b
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b = d.book.Load()
	tokens := d.opt.Tokens.Tokens()
	if same(b.tokens, tokens) {
		return b
	}
	next := d.write(tokens, b)
	d.book.Store(next)
	for name, p := range b.byName {
		if kept := next.byName[name]; kept == nil || kept.life != p.life {
			p.life.end(refusal(http.StatusUnauthorized, "%s", p.name+revoked))
		}
	}
	return next
}

// write makes a book. Tokens that have not changed keep their principal, so that what they hold goes on.
func (d *Door) write(tokens []*store.Token, old *book) *book {
	b := &book{
		tokens: tokens, byHash: make(map[[32]byte]*Principal, len(tokens)),
		byCert: map[string]*Principal{}, byName: make(map[string]*Principal, len(tokens)), gone: maps.Clone(old.gone),
	}
	for _, t := range tokens {
		p := old.byName[t.Name]
		if p == nil || !equal(p.life.token, t) {
			var err error
			if p, err = principal(t); err != nil {
				d.opt.Log.Error("a token is not usable", "token", t.Name, "error", err)
				continue
			}
		}
		b.byName[t.Name] = p
		if t.Certificate != "" {
			b.byCert[muster.Fold(t.Certificate)] = p
		} else {
			b.byHash[t.Hash] = p
		}
	}
	for hash, p := range old.byHash {
		if b.byHash[hash] == nil && len(b.gone) < maxGone {
			if b.gone == nil {
				b.gone = map[[32]byte]string{}
			}
			b.gone[hash] = p.name
		}
	}
	return b
}

// principal is who shows that token.
func principal(t *store.Token) (*Principal, error) {
	rights, err := ParseRights(t.Allow)
	if err != nil {
		return nil, err
	}
	kind := "token:"
	if t.Certificate != "" {
		kind = "cert:"
	}
	ctx, end := context.WithCancelCause(context.Background())
	return &Principal{name: kind + t.Name, rights: rights, namespace: t.Namespace, expires: t.Expires, life: &life{token: t, ctx: ctx, end: end}}, nil
}

func equal(a, b *store.Token) bool {
	return a == b || a.Name == b.Name && a.Hash == b.Hash && a.Certificate == b.Certificate && a.Namespace == b.Namespace &&
		a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires) && slices.Equal(a.Allow, b.Allow)
}

// What a refusal says behind the name of a token.
const revoked = " was revoked; make a new one with muster token create"

func (p *Principal) expired() string {
	return p.name + " expired at " + p.expires.UTC().Format(time.RFC3339) + "; make a new one with muster token create"
}

// over reports whether the principal's time is.
func (p *Principal) over() bool { return !p.expires.IsZero() && !time.Now().Before(p.expires) }
