package limits_test

import (
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/limits"
)

func TestLimitsAreSetByName(t *testing.T) {
	base := limits.Default(4<<30, 0)
	for text, want := range map[string]func(*limits.Config){
		"":                               func(*limits.Config) {},
		"none":                           func(c *limits.Config) { *c = limits.Config{} },
		"watchers=500":                   func(c *limits.Config) { c.Watchers = 500 },
		"watchers=500, total=2GiB":       func(c *limits.Config) { c.Watchers, c.Total, c.Metadata = 500, 2<<30, 1<<30 },
		"total=1MiB":                     func(c *limits.Config) { c.Total, c.Metadata = 1<<20, 512<<10 },
		"total=none":                     func(c *limits.Config) { c.Total = 0 },
		"requests=none,instances=0":      func(c *limits.Config) { c.Requests, c.Instances = 0, 0 },
		"metadata=1048576":               func(c *limits.Config) { c.Metadata = 1 << 20 },
		"metadata=64K,total=1M":          func(c *limits.Config) { c.Metadata, c.Total = 64<<10, 1<<20 },
		"connections=10,connections=12,": func(c *limits.Config) { c.Connections = 12 },
	} {
		got, err := base.With(text)
		w := base
		want(&w)
		if err != nil || got != w {
			t.Errorf("%q: %v, %v; want %v", text, got, err, w)
		}
		if again, err := base.With(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is read as %v, %v", text, got, again, err)
		}
	}
}

func TestLimitsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"watcher=5":            `limit "watcher" is not known; there are connections, instances, metadata, namespaces, requests, total, watchers`,
		"watchers":             `limit watchers: "" is not a whole number, nor none`,
		"watchers=-1":          "whole number",
		"watchers=1GiB":        "whole number",
		"watchers=many":        `"many"`,
		"total=1TiB":           "a number of bytes such as 512MiB",
		"total=99999999999GiB": "a number of bytes",
		"total=10":             "10 bytes, at least 1024 KiB are meant",
		"total=512":            "such as 512MiB",
		"metadata=1KiB":        "1024 bytes, at least 64 KiB are meant",
		"none,watchers=5":      `limit "none" is not known`,
		"=5":                   `limit ""`,
	} {
		if got, err := limits.Default(1<<30, 0).With(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, says)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add("watchers=500,total=2GiB,requests=none")
	f.Fuzz(func(t *testing.T, text string) {
		base := limits.Default(1<<30, 1024)
		c, err := base.With(text)
		if err != nil {
			return
		}
		if again, err := base.With(c.String()); err != nil || again != c {
			t.Errorf("%q is %q, which is read as %q, %v", text, c, again, err)
		}
	})
}

// The defaults follow the memory: a small machine is not promised what a large one is.
func TestDefaultsFitTheMachine(t *testing.T) {
	for _, memory := range []int64{64 << 20, 512 << 20, 4 << 30, 1 << 40} {
		c := limits.Default(memory, 1<<20)
		o := c.For(memory, 2)
		if c.Total > memory/4 || c.Total < memory/5 || c.Metadata > c.Total/2 {
			t.Errorf("of %d MiB: %v", memory>>20, c)
		}
		if memory >= 512<<20 {
			if got := c.Total + 32<<10*c.Connections + o.Bodies + int64(o.Inside)/4*(128<<10); got > memory {
				t.Errorf("of %d MiB the defaults may take %d MiB", memory>>20, got>>20)
			}
		}
	}
	if got := limits.Default(4<<30, 1024).Connections; got != 1024-64 {
		t.Errorf("%d connections with 1024 files, want 960", got)
	}
}

func TestMemoryIsKnown(t *testing.T) {
	bytes, by := limits.Memory()
	if bytes < 64<<20 || by == "" {
		t.Errorf("%d bytes by %q", bytes, by)
	}
}
