package release

import (
	"runtime/debug"
	"testing"
)

func TestWhichVersionsAreTooFarApart(t *testing.T) {
	for _, c := range []struct {
		a, b string
		far  bool
	}{
		{"v1.4.0", "v1.4.9", false},
		{"v1.4.0", "v1.6.0", false},
		{"v1.4.0", "v1.7.0", true},
		{"v1.4.0", "v2.4.0", true},
		{"v0.9.1", "v1.0.0", true},
		{"v0.1.0", "v0.4.1-0.20260102150405-abcdef123456", true},
		{"v0.1.0", "v0.3.1-0.20260102150405-abcdef123456+dirty", false},
		{"v0.0.0-20260102150405-abcdef123456", "v0.9.0", false},
		{"devel", "v0.9.0", false},
		{"devel-abcdef123456", "devel", false},
		{"", "v0.9.0", false},
		{"0.1.0", "v0.9.0", false},
		{"v1.x.0", "v1.9.0", false},
		{"v-1.9.0", "v1.9.0", false},
		{"v1.99999999999999999999.0", "v1.9.0", false},
	} {
		if TooFar(c.a, c.b) != c.far || TooFar(c.b, c.a) != c.far {
			t.Errorf("%s and %s: want %v both ways", c.a, c.b, c.far)
		}
	}
}

func TestVersionIsTheBuilds(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}}
	for want, info := range map[string]*debug.BuildInfo{
		"v1.2.3":             {Main: debug.Module{Path: module, Version: "v1.2.3"}, Settings: revision},
		"devel-0123456789ab": {Main: debug.Module{Path: module, Version: "(devel)"}, Settings: revision},
		"devel":              {Main: debug.Module{Path: module}},
		"v1.1.0": {
			Main: debug.Module{Path: "example.com/shop", Version: "v9.0.0"},
			Deps: []*debug.Module{{Path: "example.com/a", Version: "v3.0.0"}, {Path: module, Version: "v1.1.0"}},
		},
		"v1.1.1": {
			Main: debug.Module{Path: "example.com/shop"},
			Deps: []*debug.Module{{Path: module, Version: "v1.1.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.1.1"}}},
		},
	} {
		if got := of(info); got != want {
			t.Errorf("%+v: %s, want %s", info.Main, got, want)
		}
	}
	none := &debug.BuildInfo{Main: debug.Module{Path: "example.com/shop", Version: "v9.0.0"}}
	if got := of(none); got != Unnumbered {
		t.Errorf("a program without the library: %s", got)
	}
}
