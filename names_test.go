package muster_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-go/muster"
)

func TestNamesAreComparedWithoutASCIICase(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ORDERS", "orders", true}, {"Orders-1.x", "oRDERS-1.X", true}, {"orders", "order", false},
		{"a@", "a`", false}, {"a[", "a{", false}, {"É", "é", false}, {"", "", true},
	} {
		if got := muster.EqualFold(c.a, c.b); got != c.same {
			t.Errorf("EqualFold(%q, %q) = %v", c.a, c.b, got)
		}
		if got := muster.Fold(c.a) == muster.Fold(c.b); got != c.same {
			t.Errorf("Fold(%q) == Fold(%q) is %v", c.a, c.b, got)
		}
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		change func(*muster.Instance)
		says   string
	}{
		{func(in *muster.Instance) { in.Service = "" }, "service name is empty"},
		{func(in *muster.Instance) { in.Service = "a/b" }, `'/' at byte 1`},
		{func(in *muster.Instance) { in.Service = "-a" }, `'-' at byte 0`},
		{func(in *muster.Instance) { in.Service = long }, "129 bytes"},
		{func(in *muster.Instance) { in.Namespace = "pro d" }, "namespace name"},
		{func(in *muster.Instance) { in.ID = "" }, "id is empty"},
		{func(in *muster.Instance) { in.ID = "a\nb" }, "control character"},
		{func(in *muster.Instance) { in.ID = "\xff" }, "not UTF-8"},
		{func(in *muster.Instance) { in.ID = strings.Repeat("y", 257) }, "257 bytes"},
		{func(in *muster.Instance) { in.Endpoints = nil }, "0 endpoints"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "10.0.0.1" }, "scheme://host:port"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "10.0.0.1:0" }, "1 to 65535"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "10.0.0.1:70000" }, "1 to 65535"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "::1:80" }, "IPv6 in brackets"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "[::]:80" }, "no host that others can reach"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = ":80" }, "no host that others can reach"},
		{func(in *muster.Instance) { in.Endpoints[0].Address = "user@h:80" }, "is not a host"},
		{func(in *muster.Instance) { in.Endpoints[0].Scheme = "HTTP" }, "lower-case"},
		{func(in *muster.Instance) { in.Weight = new(10001) }, "0..10000"},
		{func(in *muster.Instance) { in.Weight = new(-1) }, "0..10000"},
		{func(in *muster.Instance) { in.Tier = -1 }, "tier"},
		{func(in *muster.Instance) { in.Status = 9 }, "not a status"},
		{func(in *muster.Instance) { in.Zone = long }, "zone"},
		{func(in *muster.Instance) { in.Metadata = map[string]string{"": "x"} }, "metadata key"},
		{func(in *muster.Instance) { in.Metadata = map[string]string{"x": strings.Repeat("x", 17000)} }, "metadata has"},
		{func(in *muster.Instance) { in.Metadata = map[string]string{"team": "\xff"} }, `metadata "team" is not UTF-8`},
		{func(in *muster.Instance) {
			in.Metadata = map[string]string{}
			for i := range 129 {
				in.Metadata[fmt.Sprint(i)] = ""
			}
		}, "129 metadata entries"},
	} {
		in := orders(1)
		c.change(in)
		if err := in.Validate(); !errors.Is(err, muster.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want invalid saying %q", err, c.says)
		}
	}
	if err := orders(1).Validate(); err != nil {
		t.Errorf("a proper instance: %v", err)
	}
}

func TestErrorsCarryCodeAndCause(t *testing.T) {
	cause := errors.New("HTTP 404")
	err := error(&muster.Error{Op: "renew", Service: "orders", Instance: "10.0.0.7:8080", Code: muster.NotFound, Err: cause})
	if got, want := err.Error(), "renew orders/10.0.0.7:8080: not_found: HTTP 404"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wrapped := fmt.Errorf("later: %w", err)
	if !errors.Is(wrapped, muster.NotFound) || !errors.Is(wrapped, cause) || muster.CodeOf(wrapped) != muster.NotFound {
		t.Error("the code or the cause is not found through wrapping")
	}
	if muster.CodeOf(cause) != muster.Internal || muster.CodeOf(nil) != "" {
		t.Errorf("codes of foreign errors: %q, %q", muster.CodeOf(cause), muster.CodeOf(nil))
	}
}

func TestParseEndpoint(t *testing.T) {
	for s, want := range map[string]string{
		"http://10.0.0.1:80": "http://10.0.0.1:80", "HTTP://h:80/": "http://h:80", "thrift://[::1]:9090": "thrift://[::1]:9090",
		"http://:8080": "http://:8080", "10.0.0.1:80": "", "http://h": "", "://h:1": "", "http://h:x": "",
	} {
		e, err := muster.ParseEndpoint(s)
		if (err == nil) != (want != "") || err == nil && e.String() != want {
			t.Errorf("%q: %v, %v, want %q", s, e, err, want)
		}
	}
}
