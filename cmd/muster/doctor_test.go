package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/api"
	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store"
)

// provoked is a sick registry for each finding: where it can be made so, the real one; where not (another machine, a clock,
// a full disk, a foreign program), what doctor would have gathered there.
func provoked() map[string]func(t *testing.T) []diagnosis {
	return map[string]func(t *testing.T) []diagnosis{
		"M101": func(t *testing.T) []diagnosis {
			return sick(t, newLab(t), exitUnreachable, "--registry", "muster://"+closedPort(t))
		},
		"M102": func(t *testing.T) []diagnosis {
			html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome to nginx") }))
			defer html.Close()
			return sick(t, newLab(t), exitUnreachable, "--registry", "muster://"+html.Listener.Addr().String())
		},
		"M103": func(t *testing.T) []diagnosis {
			slow := slowJournal{release: make(chan struct{})}
			s, err := store.Open(store.Options{Journal: slow})
			if err != nil {
				t.Fatal(err)
			}
			loading := httptest.NewServer(api.New(s, api.Options{Door: access.New(access.Options{Anonymous: access.All}), Version: version()}))
			defer func() {
				loading.Close()
				close(slow.release)
				s.Close()
			}()
			return sick(t, newLab(t), exitFailed, "--timeout", "500ms", "--registry", "muster://"+loading.Listener.Addr().String())
		},
		"M104": func(t *testing.T) []diagnosis {
			l := newLabWith(t, server.Options{Version: version(), Preserve: store.Preservation{Share: 0.01, Floor: 1}})
			in := &muster.Instance{Namespace: "default", Service: "ORDERS", ID: "a", Status: muster.Up, Owner: "o", Endpoints: []muster.Endpoint{{Scheme: "http", Address: "10.0.0.1:1"}}}
			_, err := l.server.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) {
				return &store.Record{Instance: in, TTL: 300 * time.Millisecond}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			await(t, "self-preservation", func() bool { return l.server.Store().State().Preserving })
			return sick(t, l, exitFailed)
		},
		"M105": func(t *testing.T) []diagnosis {
			return gathered(answer{Server: "reg:8761", Status: nativewire.Status{
				Epoch: "1", Loaded: true, Version: version(), Journal: "write muster.db: no space left on device", JournalSince: time.Now().Add(-time.Minute),
			}})
		},
		"M106": func(*testing.T) []diagnosis {
			return diagnose(&examination{data: "/var/lib/muster", view: noView(), free: func(string) (uint64, uint64, error) { return 1 << 30, 1 << 40, nil }})
		},
		"M107": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080", inNamespace("live"))
			return sick(t, l, exitFailed, "-n", "lvie")
		},
		"M108": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080")
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/watch") {
					http.Error(w, "no streams here", http.StatusBadGateway)
					return
				}
				l.server.Handler().ServeHTTP(w, r)
			}))
			defer proxy.Close()
			return sick(t, l, exitFailed, "--timeout", "500ms", "--registry", "muster://"+proxy.Listener.Addr().String())
		},
		"M109": func(*testing.T) []diagnosis {
			return diagnose(&examination{version: version(), view: noView(), servers: []answer{{Server: "10.0.0.5:8761", Status: nativewire.Status{
				Epoch: "1", Loaded: true, Version: version(),
				Namespaces: []nativewire.NamespaceStatus{{Namespace: "default", Instances: 4, Probes: &nativewire.ProbeStatus{Instances: 4, Held: []string{"ORDERS"}}}},
			}}}})
		},
		"M110": func(t *testing.T) []diagnosis {
			l := newLabWith(t, server.Options{Version: version(), Limits: limits.Config{Instances: 5, Requests: 1000}})
			for i := range 5 {
				in := &muster.Instance{Namespace: "default", Service: "ORDERS", ID: fmt.Sprint(i), Status: muster.Up, Owner: "o", Endpoints: []muster.Endpoint{{Scheme: "http", Address: fmt.Sprint("10.0.0.1:", i+1)}}}
				_, err := l.server.Store().Update(in.Key(), func(*store.Record) (*store.Record, error) {
					return &store.Record{Instance: in, TTL: time.Minute, Payer: "127.0.0.1"}, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			return sick(t, l, exitFailed)
		},
		"M111": func(*testing.T) []diagnosis {
			return gathered(certified(nativewire.Certificate{NotAfter: time.Now().Add(60 * 24 * time.Hour), Trouble: "open key.pem: no such file or directory"}))
		},
		"M201": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "a", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.1:8080"}))
			l.put("ORDERS", "b", at(muster.Endpoint{Scheme: "http", Address: "10.0.0.1:8080"}))
			return sick(t, l, exitFailed)
		},
		"M202": func(*testing.T) []diagnosis {
			return diagnose(&examination{
				version: version(),
				servers: []answer{{Server: "10.0.0.5:8761", Status: nativewire.Status{Epoch: "1", Loaded: true, Version: version()}}},
				view:    viewOf(&muster.Instance{Service: "ORDERS", ID: "a", Status: muster.Up, Endpoints: []muster.Endpoint{{Scheme: "http", Address: "127.0.0.1:8080"}}}),
			})
		},
		"M203": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "a", at(muster.Endpoint{Scheme: "htpp", Address: "10.0.0.1:8080"}))
			return sick(t, l, exitFailed)
		},
		"M204": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080", zone("eu-1a"))
			l.env["MUSTER_ZONE"] = "eu-1-a"
			return sick(t, l, exitFailed)
		},
		"M205": func(*testing.T) []diagnosis {
			v := viewOf(&muster.Instance{Service: "ORDERS", ID: "a", Status: muster.Up})
			v.Table.Services[0].Skipped = []muster.Skipped{{Key: "/services/ORDERS/x", Why: "not JSON"}}
			return diagnose(&examination{view: v})
		},
		"M206": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("PRINTER", "10.0.0.1:9100")
			l.must("register", "PRINTER", "--url", "tcp://10.0.0.2:9100", "--static")
			key := muster.Key{Namespace: "default", Service: "PRINTER", ID: "10.0.0.2:9100"}
			if err := l.server.Store().Judge(key, store.Verdict{Down: true, Because: "probe: connect to 10.0.0.2:9100: no route to host"}); err != nil {
				t.Fatal(err)
			}
			return sick(t, l, exitFailed)
		},
		"M301": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080")
			l.put("ORDERS", "10.0.0.2:8080")
			l.must("disable", "ORDERS", "--all", "--yes")
			return sick(t, l, exitFailed)
		},
		"M302": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080", weighs(0))
			l.put("ORDERS", "10.0.0.2:8080")
			l.must("weight", "ORDERS", "10.0.0.2:8080", "0", "--yes")
			return sick(t, l, exitFailed)
		},
		"M303": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080", reports(muster.Down))
			l.put("ORDERS", "10.0.0.2:8080", reports(muster.Starting))
			return sick(t, l, exitFailed)
		},
		"M304": func(t *testing.T) []diagnosis {
			l := newLab(t)
			l.put("ORDERS", "10.0.0.1:8080")
			l.put("ORDERS", "10.0.0.2:8080")
			l.must("disable", "ORDERS", "10.0.0.1:8080", "--why", "bad disk")
			l.must("deregister", "ORDERS", "10.0.0.1:8080")
			return sick(t, l, exitFailed)
		},
		"M401": func(t *testing.T) []diagnosis {
			l := newLab(t)
			ahead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
				l.server.Handler().ServeHTTP(w, r)
			}))
			defer ahead.Close()
			return sick(t, l, exitFailed, "--registry", "muster://"+ahead.Listener.Addr().String())
		},
		"M402": func(t *testing.T) []diagnosis {
			return sick(t, newLabWith(t, server.Options{Version: "0.0.1-other"}), exitFailed)
		},
		"M403": func(*testing.T) []diagnosis {
			return diagnose(&examination{
				version: "v1.4.0", view: noView(),
				servers: []answer{{Server: "10.0.0.5:8761", Status: nativewire.Status{Epoch: "1", Loaded: true, Version: "v1.1.9"}}},
			})
		},
	}
}

func TestEachFindingIsProvokedAndFoundAlone(t *testing.T) {
	t.Parallel()
	cases := provoked()
	for _, f := range findings() {
		t.Run(f.Code, func(t *testing.T) {
			provoke := cases[f.Code]
			if provoke == nil {
				t.Fatalf("nothing provokes %s (%s): add a case", f.Code, f.Title)
			}
			found := provoke(t)
			if len(found) != 1 || found[0].Code != f.Code {
				t.Fatalf("got %+v, want %s alone", found, f.Code)
			}
			if found[0].What == "" || found[0].Do == "" {
				t.Errorf("it does not say what is wrong and what to do: %+v", found[0])
			}
		})
	}
	if len(cases) != len(findings()) {
		t.Errorf("%d cases for %d findings", len(cases), len(findings()))
	}
}

func TestHealthyRegistryHasNoFindings(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", zone("eu-1a"))
	l.put("ORDERS", "10.0.0.2:8080", zone("eu-1b"))
	l.must("weight", "ORDERS", "10.0.0.1:8080", "5")
	l.put("LOCAL", "127.0.0.1:8080") // the registry is on loopback too
	res := l.must("doctor")
	if !strings.Contains(res.stderr, "Nothing found") {
		t.Errorf("got %s%s", res.stdout, res.stderr)
	}
}

func TestEveryFindingIsExplained(t *testing.T) {
	l := newLab(t)
	all := l.must("doctor", "--explain", "all").stdout
	var codes []string
	for _, f := range findings() {
		out := l.must("doctor", "--explain", strings.ToLower(f.Code)).stdout
		if !strings.Contains(out, f.Why) || !strings.Contains(out, "What to do: "+f.Do) || !strings.Contains(all, f.Code) {
			t.Errorf("%s: %s", f.Code, out)
		}
		codes = append(codes, f.Code)
	}
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Errorf("codes are not sorted or not unique: %v", codes)
	}
}

func TestOneOfSeveralServersDownIsFoundAndTheRestExamined(t *testing.T) {
	l := newLab(t)
	l.put("ORDERS", "10.0.0.1:8080", reports(muster.Down))
	found := sick(t, l, exitFailed, "--registry", l.env["MUSTER_REGISTRY"]+","+closedPort(t))
	if len(found) != 2 || found[0].Code != "M101" || found[1].Code != "M303" {
		t.Errorf("got %+v, want M101 and M303", found)
	}
}

// slowJournal is a disk that takes its time to be read.
type slowJournal struct{ release chan struct{} }

func (j slowJournal) Load(store.Loader) (uint64, error) {
	<-j.release
	return 0, nil
}
func (slowJournal) Write(store.Batch) error                          { return nil }
func (slowJournal) Sync([]store.Act) error                           { return nil }
func (slowJournal) Tidy() (bool, error)                              { return false, nil }
func (slowJournal) Backup(context.Context, io.Writer) (int64, error) { return 0, nil }
func (slowJournal) Close() error                                     { return nil }
func (slowJournal) Audit(string, string, uint64, int) ([]muster.AuditRecord, error) {
	return nil, nil
}

// sick runs doctor on a real registry.
func sick(t *testing.T, l *lab, code int, args ...string) []diagnosis {
	t.Helper()
	res := l.run(append([]string{"doctor", "-o", "json"}, args...)...)
	if res.code != code {
		t.Errorf("exit code %d, want %d: %s", res.code, code, res.stderr)
	}
	var out struct{ Items []diagnosis }
	if err := json.Unmarshal([]byte(res.stdout), &out); err != nil {
		t.Fatalf("%v: %s%s", err, res.stdout, res.stderr)
	}
	return out.Items
}

// gathered diagnoses servers that said this, with an empty list.
func gathered(servers ...answer) []diagnosis {
	return diagnose(&examination{servers: servers, view: noView(), version: version()})
}

func noView() *muster.View { return &muster.View{Table: &muster.Table{}} }

func viewOf(ins ...*muster.Instance) *muster.View {
	return &muster.View{Loaded: true, Fresh: time.Now(), Table: &muster.Table{Services: []*muster.Snapshot{{Service: ins[0].Service, Instances: ins}}}}
}

func TestOddEndpoints(t *testing.T) {
	for e, want := range map[muster.Endpoint]string{
		{Scheme: "http", Address: "orders.internal:80"}:              "",
		{Scheme: "thrift", Address: "10.0.0.1:9090"}:                 "",
		{Scheme: "http", Address: "[fd00::1]:80"}:                    "",
		{Scheme: "htpps", Address: "10.0.0.1:443"}:                   "did you mean https",
		{Scheme: "http", Address: "0.0.0.0:80"}:                      "names no machine",
		{Scheme: "http", Address: "169.254.10.10:80"}:                "link-local",
		{Scheme: "http", Address: net.JoinHostPort("ff02::1", "80")}: "multicast",
	} {
		got := odd(e)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", e, got, want)
		}
	}
}

// certified is the answer of a server with a certificate.
func certified(c nativewire.Certificate) answer {
	return answer{Server: "reg:8761", Status: nativewire.Status{Epoch: "1", Loaded: true, Version: version(), Certificate: &c}}
}

func TestDoctorLooksAtTheCertificate(t *testing.T) {
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		cert nativewire.Certificate
		want string // "": it is fine
	}{
		"good for two months":      {nativewire.Certificate{NotAfter: time.Now().Add(60 * day)}, ""},
		"good for a week":          {nativewire.Certificate{NotAfter: time.Now().Add(7 * day)}, "reg:8761: it is good until "},
		"over":                     {nativewire.Certificate{NotAfter: time.Now().Add(-day)}, "reg:8761: it was good until "},
		"files that are no use":    {nativewire.Certificate{NotAfter: time.Now().Add(60 * day), Trouble: "no key"}, "is kept: no key"},
		"over, and files likewise": {nativewire.Certificate{NotAfter: time.Now().Add(-day), Trouble: "no key"}, "is kept: no key"},
	} {
		found := ""
		for _, d := range gathered(certified(tt.cert)) {
			if d.Code == "M111" {
				found = d.What
			}
		}
		if tt.want == "" && found != "" || !strings.Contains(found, tt.want) {
			t.Errorf("%s: found %q, want %q", name, found, tt.want)
		}
	}
}

func TestDoctorSaysAnAddressOnceAndLeavesSchemesToTheirUsers(t *testing.T) {
	var all []*muster.Instance
	for i := range 60 {
		all = append(all, &muster.Instance{Service: "PRINTER", ID: fmt.Sprint("p", i), Status: muster.Up, Endpoints: []muster.Endpoint{{Scheme: "ipp", Address: "10.0.0.9:631"}}})
	}
	x := &examination{view: viewOf(all...)}
	if got := findDuplicates(x); len(got) != 1 || !strings.Contains(got[0].What, "58 more") {
		t.Errorf("60 instances at one address: %d rows, %+v", len(got), got)
	}
	if got := findOdd(x); len(got) != 0 {
		t.Errorf("ipp:// is odd: %+v", got)
	}
}
