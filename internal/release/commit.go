package release

import "runtime/debug"

// Commit is the commit that this program was built from, whole; "" when the build does not say, as with `go install …@version`.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != module {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
