package open_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/muster-go/muster/registry/open"
)

func TestURLIsReadAndPrinted(t *testing.T) {
	for raw, want := range map[string]string{
		"muster://h1:8761,h2/staging":                   "muster://h1:8761,h2/staging",
		"etcd://h1:2379,[::1]:2379/x?format=json":       "etcd://h1:2379,[::1]:2379/x?format=json",
		"etcds://[2001:DB8::1],[fe80::1%25eth0]:1/":     "etcds://[2001:db8::1],[fe80::1%eth0]:1",
		"eureka://u:p%40ss@h/eureka?zone=a&servers.b=":  "eureka://u:***@h/eureka?servers.b=&zone=a",
		"eureka://token@h":                              "eureka://***@h",
		"local:":                                        "local:",
		"local:staging":                                 "local:staging",
		"zk://h/s?intents=redis%3A%2F%2F%3Ahunter2%40r": "zk://h/s?intents=redis%3A%2F%2F%3A%2A%2A%2A%40r",
	} {
		u, err := open.Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := u.String(); got != want {
			t.Errorf("%s is printed as %s, want %s", raw, got, want)
		}
	}
}

func TestHostListIsSplit(t *testing.T) {
	got, err := open.SplitHosts("h1:2379,[::1]:2379,[fe80::1%25en0],10.0.0.1")
	want := []open.Host{{Name: "h1", Port: "2379"}, {Name: "::1", Port: "2379"}, {Name: "fe80::1%en0"}, {Name: "10.0.0.1"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("muster://h1:8761,[::1]:8762/staging?tls=true")
	f.Add("eureka://u:p@h1,h2/eureka?zone=a")
	f.Add("local:x")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := open.Parse(raw)
		if err != nil || len(raw) > 2000 { // percent-encoding makes it longer than what is read
			return
		}
		if u.User != "" || strings.Contains(u.String(), "***") || strings.Contains(u.String(), "%2A%2A%2A") {
			return // secrets do not come back
		}
		again, err := open.Parse(u.String())
		if err != nil {
			t.Fatalf("%q is printed as %q, which is refused: %v", raw, u, err)
		}
		if !reflect.DeepEqual(again, u) {
			t.Errorf("%q is printed as %q, which reads %+v, not %+v", raw, u, again, u)
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Add("muster://ann:", "@h1,h2/x?y=z")
	f.Add("zk://h/?intents=redis://:", "@r")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2hunter2"
		if strings.Contains(before+after, "hunter2") {
			return
		}
		raw := before + secret + "@" + after
		if got := open.Mask(raw); strings.Contains(got, secret) {
			t.Errorf("Mask(%q) is %q", raw, got)
		}
		if _, err := open.Open(raw, nil); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("Open(%q): %v", raw, err)
		}
	})
}
