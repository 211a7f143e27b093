// Package golden holds what muster promises its users to lists that are committed: names of the Go API, fields, flags, metrics.
//
// A test writes down what there is, one promise a line, and Lines compares it with the list of the last commit. What a
// difference means, and what to do about it, is in docs/compatibility.md; `make promises` writes the lists anew.
package golden

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Write in the environment, set to "write", makes Lines write the lists in place of comparing them.
const Write = "MUSTER_PROMISES"

// Lines compares lines, in any order, with those of a file, which has them sorted.
func Lines(t testing.TB, file string, lines []string) {
	t.Helper()
	got := slices.Compact(slices.Sorted(slices.Values(lines)))
	if os.Getenv(Write) == "write" {
		write(t, file, got)
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make promises writes it", err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("gone or changed: %s\n\tWho relies on it would break. Keep it, say in CHANGELOG.md that it is deprecated and what stands in its place, and take it out two minor versions later.", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new: %s\n\tFrom its release on it is promised. If it is meant: a line in CHANGELOG.md, and `make promises` writes %s anew.", line, file)
		}
	}
}

func write(t testing.TB, file string, lines []string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
