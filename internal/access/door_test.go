package access_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

func TestTokenIsShownAsBearerOrAsPassword(t *testing.T) {
	text, record := token("deploy", nil, "read")
	d := access.New(access.Options{Tokens: newKeeper(record)})
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, auth := range []string{"Bearer " + text, "bearer " + text, "Bearer   " + text, basic("x:" + text), basic(":" + text), "BASIC" + basic("who:" + text)[5:]} {
		if p, err := d.Who(request(auth)); err != nil || p.String() != "token:deploy" || p.Anonymous() {
			t.Errorf("%s: %v, %v", auth, p, err)
		}
	}
}

func TestWrongCredentialsAreRefusedEvenWhereAnonymousMay(t *testing.T) {
	text, record := token("deploy", nil, "read")
	other, _ := token("other", nil, "read")
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for what, auth := range map[string][]string{
		"unknown":           {"Bearer " + other},
		"cut":               {"Bearer " + text[:len(text)-1]},
		"in capitals":       {"Bearer " + strings.ToUpper(text)},
		"a letter more":     {"Bearer " + text + "a"},
		"as the user":       {basic(text + ":")},
		"no colon":          {basic(text)},
		"not base64":        {"Basic " + text},
		"another scheme":    {"Digest " + text},
		"no scheme":         {text},
		"empty":             {""},
		"two headers":       {"Bearer " + text, "Bearer " + text},
		"too long":          {"Bearer " + strings.Repeat("a", 2000)},
		"a password":        {basic("admin:admin")},
		"the hash":          {"Bearer " + string(record.Hash[:])},
		"the token's name":  {"Bearer deploy"},
		"a line break":      {"Bearer " + text + "\n"},
		"with a NUL":        {"Bearer " + text + "\x00"},
		"a blank behind it": {"Bearer " + text + " "},
	} {
		d := access.New(access.Options{Anonymous: access.All, Tokens: newKeeper(record)})
		p, err := d.Who(request(auth...))
		refused, ok := errors.AsType[*access.Refusal](err)
		if p != nil || !ok || refused.Status != http.StatusUnauthorized || !errors.Is(err, muster.Denied) {
			t.Errorf("%s: %v, %v", what, p, err)
			continue
		}
		if strings.Contains(err.Error(), text) || strings.Contains(err.Error(), other) {
			t.Errorf("%s: the refusal shows the token: %v", what, err)
		}
		h := http.Header{}
		if refused.Header(h); len(h["Www-Authenticate"]) != 2 {
			t.Errorf("%s: it does not say how to say who one is: %v", what, h)
		}
	}
}

func TestNoTokenIsTakenWhileTheyAreBeingLoaded(t *testing.T) {
	text, _ := token("deploy", nil, "read")
	k := &keeper{loaded: make(chan struct{})}
	d := access.New(access.Options{Anonymous: access.All, Tokens: k})
	_, err := d.Who(request("Bearer " + text))
	if refused, ok := errors.AsType[*access.Refusal](err); !ok || refused.Status != http.StatusServiceUnavailable || muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("got %v, want to come again", err)
	}
	if p, err := d.Who(request()); err != nil || !p.Anonymous() {
		t.Errorf("who shows nothing: %v", err)
	}
}

func TestRevokedTokenIsRefusedAndWhatItHeldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, record := token("deploy", nil, "read")
		stays, other := token("other", nil, "read")
		k := newKeeper(record, other)
		d := access.New(access.Options{Tokens: k})
		ctx := d.Meet(t.Context(), pipe(t))
		r := request("Bearer " + text).WithContext(ctx)
		held, end := hold(t, d, r)
		defer end()
		kept, endKept := hold(t, d, request("Bearer "+stays))
		defer endKept()
		k.without("deploy")
		d.Refresh()
		synctest.Wait()
		if held.Err() == nil {
			t.Error("what a revoked token held goes on")
		}
		if kept.Err() != nil {
			t.Error("what another token holds has ended")
		}
		if _, err := d.Who(r); err == nil {
			t.Error("a revoked token is let in on a connection that knew it")
		}
	})
}

func TestTokenMadeAnewIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, record := token("deploy", nil, "read")
		k := newKeeper(record)
		d := access.New(access.Options{Tokens: k})
		held, end := hold(t, d, request("Bearer "+text))
		defer end()
		again, next := token("deploy", nil, "read")
		k.tokens = []*store.Token{next}
		d.Refresh()
		synctest.Wait()
		if _, err := d.Who(request("Bearer " + again)); err != nil {
			t.Error(err)
		}
		if _, err := d.Who(request("Bearer " + text)); err == nil || held.Err() == nil {
			t.Errorf("the first of that name lives on: %v, %v", err, held.Err())
		}
	})
}

func TestExpiredTokenIsRefusedAndWhatItHeldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, record := token("deploy", func(t *store.Token) { t.Expires = time.Now().Add(time.Hour) }, "read")
		d := access.New(access.Options{Tokens: newKeeper(record)})
		r := request("Bearer " + text).WithContext(d.Meet(t.Context(), pipe(t)))
		held, end := hold(t, d, r)
		defer end()
		time.Sleep(time.Hour - time.Second)
		if _, err := d.Who(r); err != nil || held.Err() != nil {
			t.Fatalf("before its time: %v, %v", err, held.Err())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		_, err := d.Who(r)
		if err == nil || !strings.Contains(err.Error(), "token:deploy expired at ") || held.Err() == nil {
			t.Errorf("after its time: %v, %v", err, held.Err())
		}
	})
}

func TestManyWrongCredentialsAreAnswered429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, record := token("deploy", nil, "read")
		d := access.New(access.Options{Tokens: newKeeper(record)})
		try := func(from string) int {
			r := request("Bearer wrong")
			r.RemoteAddr = from
			_, err := d.Who(r)
			refused, ok := errors.AsType[*access.Refusal](err)
			if !ok {
				t.Fatal(err)
			}
			if (refused.Status == http.StatusTooManyRequests) != (refused.After > 0) {
				t.Errorf("%d with After %v", refused.Status, refused.After)
			}
			return refused.Status
		}
		for i := range 20 {
			if code := try("192.0.2.1:1"); code != 401 {
				t.Fatalf("wrong one %d: %d", i+1, code)
			}
		}
		if code := try("192.0.2.1:2"); code != 429 {
			t.Errorf("from another port: %d, want 429", code)
		}
		if code := try("192.0.2.2:1"); code != 401 {
			t.Errorf("from another address: %d, want 401", code)
		}
		right := request("Bearer " + text)
		right.RemoteAddr = "192.0.2.1:3"
		if _, err := d.Who(right); err != nil {
			t.Errorf("a right token from there: %v", err)
		}
		time.Sleep(3 * time.Second)
		if code := try("192.0.2.1:1"); code != 401 {
			t.Errorf("3 s later: %d, want 401", code)
		}
		if code := try("192.0.2.1:1"); code != 429 {
			t.Errorf("and at once again: %d, want 429", code)
		}
		for i := range 20 { // one network of IPv6, whatever the rest
			try("[2001:db8::" + string(rune('a'+i%6)) + "]:1")
		}
		if code := try("[2001:db8::ffff:1]:1"); code != 429 {
			t.Errorf("another address of that network: %d, want 429", code)
		}
	})
}

func TestAddressesBeyondThoseToldApartAreCountedTogetherForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := access.New(access.Options{Tokens: newKeeper()})
		last := 0
		try := func(n int) int {
			r := request("Bearer wrong")
			r.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 1).String()
			_, err := d.Who(r)
			refused, ok := errors.AsType[*access.Refusal](err)
			if !ok {
				t.Fatal(err)
			}
			return refused.Status
		}
		for last < 8192+20 {
			last++
			if code := try(last); code != 401 {
				t.Fatalf("the first wrong one from address %d: %d", last, code)
			}
		}
		if last++; try(last) != 429 {
			t.Error("more than can be told apart are not counted together")
		}
		time.Sleep(4 * time.Second) // the first of all have leaked
		last++
		for range 3 {
			if try(last) != 401 {
				t.Error("afterwards addresses are still counted together")
			}
		}
	})
}

func TestClientCertificateIsMappedByItsNames(t *testing.T) {
	_, byURI := token("uri", func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "spiffe://prod/orders" }, "read")
	_, byDNS := token("dns", func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "Orders.example" }, "read")
	_, byCN := token("cn", func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "orders" }, "read")
	_, key := token("key", func(t *store.Token) { t.Hash, t.Certificate = [32]byte{}, "Key" }, "admin")
	d := access.New(access.Options{Tokens: newKeeper(byURI, byDNS, byCN, key)})
	uri, err := url.Parse("spiffe://prod/orders")
	if err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Hour)
	for _, c := range []struct {
		leaf x509.Certificate
		want string
	}{
		{x509.Certificate{URIs: []*url.URL{uri}, DNSNames: []string{"orders.example"}, NotAfter: late}, "cert:uri"},
		{x509.Certificate{DNSNames: []string{"a.example", "orders.example"}, Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}, "cert:dns"},
		{x509.Certificate{Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}, "cert:cn"},
		// The common name of one that has other names may be anything: an authority that checks those need not check it.
		{x509.Certificate{DNSNames: []string{"a.example"}, Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}, ""},
		{x509.Certificate{IPAddresses: []net.IP{{10, 0, 0, 9}}, Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}, ""},
		{x509.Certificate{EmailAddresses: []string{"a@b.example"}, Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}, ""},
		{x509.Certificate{Subject: pkix.Name{CommonName: "other"}, NotAfter: late}, ""},
		{x509.Certificate{Subject: pkix.Name{CommonName: "kEY"}, NotAfter: late}, "cert:key"},
		{x509.Certificate{Subject: pkix.Name{CommonName: "\u212aey"}, NotAfter: late}, ""}, // Kelvin's sign, whose lower case is k
		{x509.Certificate{NotAfter: late}, ""},
		{x509.Certificate{Subject: pkix.Name{CommonName: "orders"}, NotAfter: time.Now().Add(-time.Second)}, "401"},
	} {
		r := request()
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{&c.leaf}}, PeerCertificates: []*x509.Certificate{&c.leaf}}
		p, err := d.Who(r)
		got := "401"
		if err == nil {
			got = p.String()
		}
		if got != c.want {
			t.Errorf("%v %v %v: got %q (%v), want %q", c.leaf.URIs, c.leaf.DNSNames, c.leaf.Subject.CommonName, got, err, c.want)
		}
		r.TLS.VerifiedChains = nil // shown, and not verified
		if p, err := d.Who(r); err != nil || !p.Anonymous() {
			t.Errorf("a certificate that was not verified proves %v, %v", p, err)
		}
	}
	text, record := token("deploy", nil, "read")
	d = access.New(access.Options{Tokens: newKeeper(record, byCN)})
	r := request("Bearer " + text)
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "orders"}, NotAfter: late}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
	if p, err := d.Who(r); err != nil || p.String() != "token:deploy" {
		t.Errorf("with a token beside the certificate: %v, %v", p, err)
	}
	r.Header.Set("Authorization", "Bearer wrong")
	if _, err := d.Who(r); err == nil {
		t.Error("a wrong token is overlooked because of a certificate")
	}
}

func TestConnectionDoesNotLendItsPrincipal(t *testing.T) {
	a, first := token("a", nil, "read")
	b, second := token("b", nil, "read")
	d := access.New(access.Options{Anonymous: access.ReadOnly, Tokens: newKeeper(first, second)})
	ctx := d.Meet(t.Context(), pipe(t))
	for _, c := range []struct{ auth, want string }{
		{"Bearer " + a, "token:a"}, {"Bearer " + b, "token:b"}, {"", ""}, {"Bearer " + a, "token:a"}, {"Bearer " + a + "x", "401"}, {"", ""},
	} {
		r := request().WithContext(ctx)
		if c.auth != "" {
			r = request(c.auth).WithContext(ctx)
		}
		p, err := d.Who(r)
		got := "401"
		if err == nil {
			got = p.String()
		}
		if got != c.want {
			t.Errorf("%q: got %q (%v), want %q", c.auth, got, err, c.want)
		}
	}
}

func TestControlSocketMayEverything(t *testing.T) {
	d := access.New(access.Options{})
	r := request().WithContext(d.MeetLocal(t.Context(), 1000))
	p, err := d.Allow(r, access.Act{Verb: access.Admin})
	if err != nil || p.String() != "local:1000" || p.Payer(r) != "local:1000" {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestPayerIsThePrincipalOrTheAddress(t *testing.T) {
	text, record := token("deploy", nil, "read")
	d := access.New(access.Options{Anonymous: access.All, Tokens: newKeeper(record)})
	for remote, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7", "[::ffff:192.0.2.7]:80": "192.0.2.7", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "@": "@",
	} {
		r := request()
		r.RemoteAddr = remote
		p, err := d.Who(r)
		if err != nil || p.Payer(r) != want {
			t.Errorf("%s: charged to %q (%v), want %q", remote, p.Payer(r), err, want)
		}
	}
	r := request("Bearer " + text)
	if p, err := d.Who(r); err != nil || p.Payer(r) != "token:deploy" {
		t.Errorf("a token: charged to %q (%v)", p.Payer(r), err)
	}
}

func TestLastUseIsKnown(t *testing.T) {
	text, record := token("deploy", nil, "read")
	k := newKeeper(record)
	d := access.New(access.Options{Tokens: k})
	if !d.LastUse("deploy").IsZero() || !d.LastUse("nobody").IsZero() {
		t.Error("what was never shown was used")
	}
	if _, err := d.Who(request("Bearer " + text)); err != nil {
		t.Fatal(err)
	}
	k.tokens = append([]*store.Token{}, k.tokens...) // another list with the same token
	if at := d.LastUse("deploy"); time.Since(at) > 2*time.Second {
		t.Errorf("used at %v", at)
	}
}

// Heartbeats come on connections that are kept: what the door costs there is bounded.
func TestKnownConnectionAllocatesNothing(t *testing.T) {
	text, record := token("deploy", nil, "register:ORDERS*")
	d := access.New(access.Options{Anonymous: access.All, Tokens: newKeeper(record)})
	act := access.Act{Verb: access.Register, Namespace: "default", Service: "ORDERS"}
	for what, r := range map[string]*http.Request{"a token": request("Bearer " + text), "nothing": request()} {
		r = r.WithContext(d.Meet(t.Context(), pipe(t)))
		n := testing.AllocsPerRun(100, func() {
			p, err := d.Allow(r, act)
			if err != nil || p.Payer(r) == "" {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestTokensAreUniqueAndChecked(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text, hash := access.NewToken()
		if seen[text] || len(text) != 36 || !strings.HasPrefix(text, "mst_") || hash != access.HashToken(text) {
			t.Fatalf("token %q", text)
		}
		seen[text] = true
	}
}

func FuzzAuthorization(f *testing.F) {
	text, record := token("deploy", nil, "read")
	d := access.New(access.Options{Tokens: newKeeper(record)})
	f.Add("Bearer " + text)
	f.Add("Basic eDp5")
	f.Add("Basic ::::")
	f.Fuzz(func(t *testing.T, header string) {
		p, err := d.Who(request(header))
		if err == nil && (p.String() != "token:deploy" || !strings.Contains(header, text) && !strings.EqualFold(header[:5], "basic")) {
			t.Errorf("%q is let in as %v", header, p)
		}
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("%q: the refusal shows the token", header)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	text, record := token("deploy", func(t *store.Token) { t.Expires = time.Now().Add(time.Hour) }, "register:ORDERS*")
	d := access.New(access.Options{Anonymous: access.All, Tokens: newKeeper(record)})
	act := access.Act{Verb: access.Register, Namespace: "default", Service: "ORDERS"}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	known := d.Meet(context.Background(), here)
	for name, r := range map[string]*http.Request{
		"anonymous": request().WithContext(known), "known": request("Bearer " + text).WithContext(known), "unknown": request("Bearer " + text),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Allow(r, act); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hold lets a request in and gives what lasts as long as it may.
func hold(t *testing.T, d *access.Door, r *http.Request) (context.Context, func()) {
	t.Helper()
	p, err := d.Who(r)
	if err != nil {
		t.Fatal(err)
	}
	return p.Hold(t.Context())
}

// pipe is a connection.
func pipe(t *testing.T) net.Conn {
	here, there := net.Pipe()
	t.Cleanup(func() {
		here.Close()
		there.Close()
	})
	return here
}

// No text of a token is kept, so that there is nothing to compare one with byte by byte.
func TestTokenIsFoundByItsHashAlone(t *testing.T) {
	text, record := token("deploy", nil, "read")
	near := *record
	near.Hash[31] ^= 1
	for hash, want := range map[*store.Token]bool{record: true, &near: false} {
		_, err := access.New(access.Options{Tokens: newKeeper(hash)}).Who(request("Bearer " + text))
		if (err == nil) != want {
			t.Errorf("a hash that differs in one bit: %v", err)
		}
	}
	if fields := reflect.VisibleFields(reflect.TypeFor[store.Token]()); slices.ContainsFunc(fields, func(f reflect.StructField) bool { return f.Name == "Text" || f.Name == "Secret" }) {
		t.Error("the store keeps a token's text")
	}
}
