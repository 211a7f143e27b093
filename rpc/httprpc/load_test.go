package httprpc

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

func TestLoadIsReadAsItWasWritten(t *testing.T) {
	for _, c := range []struct {
		load muster.Load
		want string
	}{
		{muster.Load{}, "n=0"},
		{muster.Load{InFlight: 3, Latency: 12 * time.Millisecond}, "n=3, us=12000"},
		{muster.Load{InFlight: 100_000, Latency: time.Hour, Draining: true}, "n=100000, us=3600000000, drain"},
		{muster.Load{InFlight: 1, Latency: time.Microsecond}, "n=1, us=1"},
	} {
		text := formatLoad(c.load)
		if text != c.want {
			t.Errorf("%+v is written %q, want %q", c.load, text, c.want)
		}
		if got, ok := parseLoad(text); !ok || got != c.load {
			t.Errorf("%q is read as %+v, %v; want %+v", text, got, ok, c.load)
		}
	}
	if got := formatLoad(muster.Load{InFlight: -1, Latency: 3}); got != "n=0, us=1" {
		t.Errorf("what is known is written as such: %q", got)
	}
}

func TestOtherLoadsAreReadAsFarAsTheyMakeSense(t *testing.T) {
	load := muster.Load{InFlight: 2, Latency: 5 * time.Millisecond}
	for text, want := range map[string]muster.Load{
		"us=5000,n=2":                     load,
		" n=2 ,\tus=5000 , drain=?0":      load,
		"n=2, us=5000, cpu=0.4, hot":      load,
		"n=2, us=5000, drain=?1":          {InFlight: 2, Latency: 5 * time.Millisecond, Draining: true},
		"n=10000000":                      {InFlight: 10_000_000},
		"n=1, n=2, us=5000":               load, // the last one counts, RFC 9651 §4.2.2
		"n=2, us=5000, drained, N=7, US=": load,
	} {
		if got, ok := parseLoad(text); !ok || got != want {
			t.Errorf("%q is read as %+v, %v; want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "1", "?", "us=5000", "drain", "n", "n=", "n=-1", "n=+1", "n=1.5", "n=10000001", "n=99999999999999999999", "n=0x10",
		"n=2, us=-5", "n=2, us=3600000001", "n=2, us=", "n=2, us=NaN", "n=2" + strings.Repeat(" ", 256),
	} {
		if got, ok := parseLoad(text); ok || got != (muster.Load{}) {
			t.Errorf("%.40q is read as %+v, want nothing", text, got)
		}
	}
}

func FuzzParseLoad(f *testing.F) {
	for _, s := range []string{"n=3, us=12000, drain", "n=0", "n=1,us=1,drain=?0", ",,n=1", "n=18446744073709551616", "us=1, drain", strings.Repeat("n=1,", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, ok := parseLoad(s)
		if !ok {
			if l != (muster.Load{}) {
				t.Fatalf("%q says nothing, and %+v", s, l)
			}
			return
		}
		if l.InFlight < 0 || l.InFlight > maxInFlight || l.Latency < 0 || l.Latency > maxLatency {
			t.Fatalf("%q is read as %+v", s, l)
		}
		if again, ok := parseLoad(formatLoad(l)); !ok || again != l {
			t.Fatalf("%q is read as %+v, and that as %+v", s, l, again)
		}
	})
}
