package open_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/registry/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSchemeChoosesTheDriver(t *testing.T) {
	for raw, want := range map[string]muster.Driver{
		"local:":                                        (*local.Driver)(nil),
		"local:staging":                                 (*local.Driver)(nil),
		"muster://127.0.0.1":                            (*remote.Driver)(nil),
		"muster://h1:8761,[::1]:8762/staging":           (*remote.Driver)(nil),
		"musters://h1/?server_name=muster.internal":     (*remote.Driver)(nil),
		"MUSTER://h1,h2/?tls=true&server_name=internal": (*remote.Driver)(nil),
	} {
		d, err := open.Open(raw, nil)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		switch want.(type) {
		case *local.Driver:
			_, ok := d.(*local.Driver)
			check(t, ok, raw, d)
		case *remote.Driver:
			_, ok := d.(*remote.Driver)
			check(t, ok, raw, d)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: Close: %v", raw, err)
		}
	}
}

func check(t *testing.T, ok bool, raw string, d muster.Driver) {
	t.Helper()
	if !ok {
		t.Errorf("%s opened a %T", raw, d)
	}
}

func TestPlannedSchemesAreUnsupported(t *testing.T) {
	for _, raw := range []string{
		"eureka://u:hunter2@h1:8761,h2/eureka?zone=a", "eurekas://h", "eureka+dns://d?region=r", "etcd://h1:2379,[::1]:2379/x", "zk://h1:2181/services?env=prod",
		"zks://h", "amqp://h", "amqps://u:hunter2@h",
	} {
		_, err := open.Open(raw, nil)
		if muster.CodeOf(err) != muster.Unsupported || !strings.Contains(err.Error(), open.Schemes) {
			t.Errorf("%s: %v, want unsupported and what this build has", raw, err)
		}
	}
}

func TestURLThatIsNoneIsInvalid(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for raw, says := range map[string]string{
		"":                                      "scheme",
		"h1:8761":                               "scheme",
		"127.0.0.1:8761":                        "scheme",
		"://h":                                  "scheme",
		"consul://h1":                           "consul",
		"nacos://h1":                            "nacos",
		"muster:":                               "host",
		"muster:///x":                           "host",
		"muster://h1,,h2":                       "comma",
		"muster://h1:0":                         "port",
		"muster://h1:+80":                       "port",
		"muster://h1:":                          "port",
		"muster://h1:99999":                     "port",
		"muster://::1:8761":                     "brackets",
		"muster://[::1":                         "brackets",
		"muster://[::1]8761":                    "colon",
		"muster://[127.0.0.1]":                  "IPv6",
		"muster://h%31":                         "host name",
		"muster://h/a/b":                        "namespace",
		"muster://h/a b":                        "percent",
		"muster://h/%zz":                        "percent",
		"muster://h/#x":                         "percent",
		"muster://h/?%zz":                       "key=value",
		"muster://h?zone=a":                     "zone",
		"muster://h?tls=maybe":                  "tls",
		"muster://h?tls=true&tls=true":          "2 times",
		"musters://h?tls=false":                 "TLS",
		"muster://h?ca=/ca.pem":                 "musters",
		"musters://h?ca=/nonexistent/ca.pem":    "ca",
		"musters://h?ca=" + empty:               "PEM",
		"musters://h?cert=/c.pem":               "together",
		"musters://h?cert=" + empty + "&key=/k": "cert",
		"muster://u@h":                          "a user without a token",
		"muster://u:@h":                         "the token is empty",
		"muster://u:a@h?token=b":                "there is a token before the hosts and one in the parameter",
		"muster://h?token=":                     "the token is empty",
		"muster://h?token=file:/no/such/file":   "no such file",
		"muster://u:a%20b@h":                    "blanks",
		"local://h/x":                           "no host",
		"locals:":                               "locals",
		"local:a/b":                             "namespace",
		"local:?x=1":                            "no parameters",
		"muster://" + strings.Repeat("h,", 70) + "h": "hosts",
		"muster://" + strings.Repeat("h", 9000):      "bytes",
	} {
		_, err := open.Open(raw, nil)
		if muster.CodeOf(err) != muster.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %v, want invalid and a word about %q", raw, err, says)
		}
	}
}

func TestNamespaceOfTheOptionsMustNotContradictTheURL(t *testing.T) {
	for raw, ok := range map[string]bool{"local:": true, "local:Staging": true, "local:prod": false, "muster://h/prod": false, "muster://h/staging": true} {
		d, err := open.Open(raw, &open.Options{Namespace: "staging"})
		if (err == nil) != ok {
			t.Errorf("%s with namespace staging: %v", raw, err)
		}
		if err == nil {
			_ = d.Close()
		}
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	for _, raw := range []string{
		"muster://ann:hunter2@h?nosuch=1", "muster://ann:hunter2@h?token=hunter2", "muster://hunter2@h", "muster://h?token=hunter2%20", "eureka://ann:hunter2@h1,h2/eureka", "nosuch://ann:hunter2@h", "muster://ann:hunter2@@@h:x",
		"muster://ann:hun/ter2/hunter2@h", "muster://ann:hun?hunter2@h", "muster://ann:80/hunter2@h", "muster://h?password=hunter2", "ann:hunter2@h", "local:hunter2@h",
		"muster://h/?intents=redis%3A%2F%2F%3Ahunter2%40r%3A6379", "zk://h/x?intents=redis://:hunter2@r", "muster://ann:hunter2@h/ /", "muster://ann:hunter2%zz@h",
		"zk://h/x?appkeys=mysql%3A%2F%2Fu%3Ahunter2%40m%2Fdb%3Fx%3Dy",
	} {
		_, err := open.Open(raw, nil)
		if err == nil {
			t.Errorf("%s opened", raw)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the secret: %v", raw, err)
		}
		if masked := open.Mask(raw); strings.Contains(masked, "hunter2") {
			t.Errorf("%s: Mask shows the secret: %s", raw, masked)
		}
	}
}
