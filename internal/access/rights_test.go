package access_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

func TestRightsAreReadAsTheyAreWritten(t *testing.T) {
	for _, c := range []struct {
		list string // separated by blanks
		want string // "" is an error
	}{
		{"read", "read"},
		{"register", "register"},
		{"register:ORDERS*", "register:ORDERS*"},
		{"operate:a operate:b read", "operate:a, operate:b, read"},
		{"read read", "read"},
		{"register:*", "register"},
		{"register:**", "register"},
		{"admin", "admin"},
		{"register:a.b_c-1*", "register:a.b_c-1*"},
		{"", ""},
		{"write", ""},
		{"READ", ""},
		{"read:ORDERS", ""},
		{"admin:x", ""},
		{"register:", ""},
		{"register:a,b", ""},
		{"register:a/b", ""},
		{"register:a b", ""},
		{"register:ä", ""},
		{"register:" + strings.Repeat("a", 129), ""},
	} {
		got, err := access.ParseRights(strings.Fields(c.list))
		if (err == nil) != (c.want != "") || err == nil && got.String() != c.want || err != nil && muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%q: got %q, %v; want %q", c.list, got, err, c.want)
		}
	}
	if _, err := access.ParseRights(make([]string, access.MaxRights+1)); err == nil {
		t.Error("too many rights are taken")
	}
}

// TestMay is the whole rule: which right covers which act.
func TestMay(t *testing.T) {
	acts := []access.Act{
		{Verb: access.Visit},
		{Verb: access.Read, Namespace: "prod"},
		{Verb: access.Read},
		{Verb: access.Register, Namespace: "prod", Service: "ORDERS"},
		{Verb: access.Register, Namespace: "prod", Service: "orders-eu"},
		{Verb: access.Register, Namespace: "prod", Service: "PAY"},
		{Verb: access.Register, Namespace: "prod"},
		{Verb: access.Operate, Namespace: "prod", Service: "ORDERS"},
		{Verb: access.Operate, Namespace: "prod", Service: "PAY"},
		{Verb: access.Operate, Namespace: "prod"},
		{Verb: access.Register, Namespace: "test", Service: "ORDERS"},
		{Verb: access.Admin},
		{},
	}
	for _, c := range []struct{ allow, namespace, want string }{ // one letter for each act: y may
		{"read", "", "yyy----------"},
		{"register", "", "---yyyy---y--"},
		{"register:ORDERS", "", "---y--y---y--"},
		{"register:orders*", "", "---yy-y---y--"},
		{"register:*S", "", "---y--y---y--"},
		{"operate", "", "yyy----yyy---"},
		{"operate:ORD*S", "", "yyy----y-----"},
		{"admin", "", "yyyyyyyyyyyy-"},
		{"read register:PAY", "", "yyy--yy------"},
		{"read", "prod", "yy-----------"},
		{"read", "PROD", "yy-----------"},
		{"register", "prod", "---yyyy------"},
		{"operate", "prod", "yy-----yyy---"},
		{"admin", "prod", "yy-yyyyyyy---"},
		{"operate", "test", "y------------"},
	} {
		text, record := token("t", func(t *store.Token) { t.Namespace = c.namespace }, strings.Fields(c.allow)...)
		d := access.New(access.Options{Tokens: newKeeper(record)})
		p, err := d.Who(request("Bearer " + text))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, a := range acts {
			err := p.May(a)
			if err == nil {
				got += "y"
				continue
			}
			got += "-"
			refused, ok := errors.AsType[*access.Refusal](err)
			if !ok || refused.Status != http.StatusForbidden || !errors.Is(err, muster.Denied) || !strings.Contains(err.Error(), "token:t may not ") {
				t.Errorf("%s in %q, %v: refused with %v", c.allow, c.namespace, a, err)
			}
		}
		if got != c.want {
			t.Errorf("%s in %q: got %s, want %s", c.allow, c.namespace, got, c.want)
		}
	}
}

func TestAnonymousMayWhatItsLevelSays(t *testing.T) {
	for level, want := range map[access.Level]string{access.None: "-----", access.ReadOnly: "yy---", access.All: "yyyy-"} {
		d := access.New(access.Options{Anonymous: level})
		got := ""
		for _, a := range []access.Act{
			{Verb: access.Visit}, {Verb: access.Read}, {Verb: access.Register, Namespace: "a", Service: "s"},
			{Verb: access.Operate, Namespace: "a", Service: "s"}, {Verb: access.Admin},
		} {
			_, err := d.Allow(request(), a)
			got += map[bool]string{true: "y", false: "-"}[err == nil]
			if refused, ok := errors.AsType[*access.Refusal](err); err != nil && (!ok || refused.Status != http.StatusUnauthorized) {
				t.Errorf("%v, %v: %v", level, a, err)
			}
		}
		if got != want {
			t.Errorf("%v: got %s, want %s", level, got, want)
		}
	}
	if _, err := (*access.Door)(nil).Allow(request(), access.Act{Verb: access.Read}); err == nil {
		t.Error("no door lets in")
	}
}

func FuzzRights(f *testing.F) {
	f.Add("register:ORDERS*", "ORDERS-EU")
	f.Add("operate:*a*b*c*", "xaxbxc")
	f.Add("register:", "")
	f.Fuzz(func(t *testing.T, right, service string) {
		r, err := access.ParseRights([]string{right})
		if err != nil {
			return
		}
		again, err := access.ParseRights([]string{r.String()})
		if err != nil || again.String() != r.String() {
			t.Errorf("%q reads %q, which reads %q (%v)", right, r, again, err)
		}
		_, record := token("t", nil, right)
		text, hash := access.NewToken()
		record.Hash = hash
		p, err := access.New(access.Options{Tokens: newKeeper(record)}).Who(request("Bearer " + text))
		if err != nil {
			t.Fatal(err)
		}
		if p.May(access.Act{Verb: access.Admin}) == nil && right != "admin" {
			t.Errorf("%q administers", right)
		}
		_ = p.May(access.Act{Verb: access.Register, Namespace: "a", Service: service})
	})
}
