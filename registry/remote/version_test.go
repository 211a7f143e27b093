package remote

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/nativewire"
)

func TestServersTooFarAwayAreWarnedOfOnce(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var v versions
	v.init("v1.4.0")
	hear := func(version string) string {
		text.Reset()
		v.hear(log, "reg:8761", http.Header{nativewire.VersionHeader: {version}})
		return text.String()
	}
	for _, near := range []string{"v1.4.0", "v1.2.0", "v1.6.3", "devel", ""} {
		if said := hear(near); said != "" {
			t.Errorf("%s: %s", near, said)
		}
	}
	for _, far := range []string{"v1.7.0", "v1.1.9", "v2.4.0"} {
		if said := hear(far); !strings.Contains(said, "level=WARN") || !strings.Contains(said, far) || !strings.Contains(said, "v1.4.0") {
			t.Errorf("%s: %q", far, said)
		}
		for _, again := range []string{far, "v1.4.0", far} {
			if said := hear(again); said != "" {
				t.Errorf("%s again: %s", again, said)
			}
		}
	}
	v.hear(log, "old:8761", http.Header{})
	warned := 0
	for minor := range 1000 { // a server that names another version each time
		if hear("v3."+strings.Repeat("1", 1+minor%2)+"."+strings.Repeat("1", minor)) != "" {
			warned++
		}
	}
	if warned > maxWarned || len(v.warned) > maxWarned {
		t.Errorf("%d warnings, %d remembered; at most %d", warned, len(v.warned), maxWarned)
	}
	header := http.Header{nativewire.VersionHeader: {"v1.5.0"}}
	v.hear(log, "reg:8761", header)
	if n := testing.AllocsPerRun(100, func() { v.hear(log, "reg:8761", header) }); n > 0 {
		t.Errorf("%v allocations for an answer that says what the one before said", n)
	}
}
