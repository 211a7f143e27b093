package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/golden"
)

// listener hears what a test would say.
type listener struct {
	testing.TB
	said []string
}

func (l *listener) Helper() {}
func (l *listener) Errorf(format string, args ...any) {
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

func TestDifferencesSayWhatToDo(t *testing.T) {
	t.Setenv(golden.Write, "")
	file := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(file, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lines []string
		want  []string
	}{
		{[]string{"c", "a", "b", "b"}, nil},
		{[]string{"a", "c"}, []string{"gone or changed: b"}},
		{[]string{"a", "b", "c", "d"}, []string{"new: d"}},
		{[]string{"a", "b2", "c"}, []string{"gone or changed: b\n", "new: b2"}},
	} {
		l := &listener{TB: t}
		golden.Lines(l, file, c.lines)
		if len(l.said) != len(c.want) {
			t.Errorf("%v: %q, want %q", c.lines, l.said, c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(l.said[i], want) || !strings.Contains(l.said[i], "CHANGELOG.md") {
				t.Errorf("%v: %q, want %q and what to do", c.lines, l.said[i], want)
			}
		}
	}
}

func TestListsAreWrittenSorted(t *testing.T) {
	t.Setenv(golden.Write, "write")
	file := filepath.Join(t.TempDir(), "new", "list.txt")
	golden.Lines(t, file, []string{"b", "a", "b"})
	if text, err := os.ReadFile(file); err != nil || string(text) != "a\nb\n" {
		t.Errorf("%q, %v", text, err)
	}
}
