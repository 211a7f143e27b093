// Package release knows which version of muster a program is, and which versions are promised to understand each other.
//
// Versions are Go's: "v1.4.2", and between two of them "v1.4.3-0.20260102150405-abcdef123456". A build that nobody numbered is
// "devel" or "devel-COMMIT"; nothing is promised about it, and nothing is said against it.
package release

import (
	"runtime/debug"
	"strconv"
	"strings"
)

// Reach is how many minor versions client and server may be apart.
const Reach = 2

// Unnumbered is the version of a build that says none.
const Unnumbered = "devel"

const module = "github.com/muster-go/muster"

// Version is what this program's build says: of the binary its own version or commit, of a program that uses the library the
// version of the library.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Unnumbered
	}
	return of(info)
}

func of(info *debug.BuildInfo) string {
	if info.Main.Path != module {
		for _, m := range info.Deps {
			if m.Path != module {
				continue
			}
			if m.Replace != nil {
				m = m.Replace
			}
			return numbered(m.Version)
		}
		return Unnumbered
	}
	if v := numbered(info.Main.Version); v != Unnumbered {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Unnumbered + "-" + s.Value[:12]
		}
	}
	return Unnumbered
}

func numbered(v string) string {
	if v == "" || v == "(devel)" {
		return Unnumbered
	}
	return v
}

// TooFar reports whether two versions are further apart than is promised to work: by more than Reach minor versions, or by a
// major one. Of a version that is none it says false.
func TooFar(a, b string) bool {
	majorA, minorA, okA := parse(a)
	majorB, minorB, okB := parse(b)
	if !okA || !okB {
		return false
	}
	return majorA != majorB || max(minorA-minorB, minorB-minorA) > Reach
}

// parse reads the two numbers that count. v0.0.0-… is a build from before the first release, and no version.
func parse(s string) (major, minor int, ok bool) {
	s, ok = strings.CutPrefix(s, "v")
	parts := strings.SplitN(s, ".", 3)
	if !ok || len(parts) != 3 || len(s) > 128 || strings.HasPrefix(s, "0.0.0-") {
		return 0, 0, false
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	return major, minor, errMajor == nil && errMinor == nil && major >= 0 && minor >= 0
}
