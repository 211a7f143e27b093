package deploy

import (
	"strings"
	"testing"
)

// Whoever is woken by an alert looks for it in docs/operations.md.
func TestEachAlertHasALineThatSaysWhatToDo(t *testing.T) {
	page := read(t, "docs", "operations.md")
	for name := range alerts(t) {
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("docs/operations.md does not say what to do when %s fires", name)
		}
	}
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, "| `Muster"); ok {
			name, _, _ := strings.Cut("Muster"+rest, "`")
			if alerts(t)[name] == "" {
				t.Errorf("docs/operations.md has the alert %s, which no rule has", name)
			}
		}
	}
}
