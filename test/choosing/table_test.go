package choosing

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// table puts what was counted in lines of Markdown, one for each policy and phase.
type table struct {
	fleet *fleet
	text  strings.Builder
	cells *tabwriter.Writer
}

func newTable(f *fleet) *table {
	t := &table{fleet: f}
	t.cells = tabwriter.NewWriter(&t.text, 0, 0, 1, ' ', 0)
	fmt.Fprint(t.cells, "| policy\t| phase\t| calls\t| failed\t| p50\t| p99\t| attempts a call\t| share of that one\t| probes a call\t|\n")
	fmt.Fprint(t.cells, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|\n")
	return t
}

func (t *table) add(policy string, p *phase, got *tally) {
	calls, share := float64(got.calls()), "–"
	if p.victim != nobody {
		share = fmt.Sprintf("%.1f %%", 100*got.share(t.fleet.addrs[p.victim]))
	}
	fmt.Fprintf(t.cells, "| %s\t| %s\t| %.0f\t| %d\t| %v\t| %v\t| %.3f\t| %s\t| %.2f\t|\n", policy, p.name, calls, got.failed,
		got.quantile(0.5).Round(100*time.Microsecond), got.quantile(0.99).Round(100*time.Microsecond),
		float64(got.sent())/calls, share, float64(got.probes)/calls)
}

func (t *table) String() string {
	t.cells.Flush() // a Builder takes everything
	return t.text.String()
}
