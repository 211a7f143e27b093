package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) topCommand() *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the services live, those that changed last on top",
		Long: `Redraws a table of the services until interrupted: how many instances, how many may get traffic, what changed
since top began and when. Without a terminal it prints the table once.`,
		Example: `  muster top
  muster top --every 5s`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usage("--every %v is less than 100ms", every)
			}
			return c.top(cmd.Context(), every)
		},
	}
	cmd.Flags().DurationVar(&every, "every", time.Second, "how often to redraw")
	return cmd
}

// tally is what top saw of one service.
type tally struct {
	seen    *muster.Snapshot
	changes int
	last    time.Time
}

func (c *cli) top(ctx context.Context, every time.Duration) error {
	v, err := c.view(ctx)
	if err != nil {
		return err
	}
	if !isTerminal(c.stdout) || c.structured() {
		return c.printServices(v)
	}
	fmt.Fprint(c.stdout, "\x1b[?1049h\x1b[?25l\x1b[?7l") // the other screen, no cursor, long lines cut
	defer fmt.Fprint(c.stdout, "\x1b[?7h\x1b[?25h\x1b[?1049l")
	tallies := map[string]*tally{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		v = c.open.View()
		var b bytes.Buffer
		b.WriteString("\x1b[H")
		_, lines := size(c.stdout)
		drawTop(&b, c, v, tallies, lines)
		b.WriteString("\x1b[J")
		if _, err := b.WriteTo(c.stdout); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// drawTop draws one frame; what is left of an older, longer line is wiped at each line's end. Of more services than there are lines
// (0: no bound) the first are shown: a frame that scrolls would lose what changed last.
func drawTop(b *bytes.Buffer, c *cli, v *muster.View, tallies map[string]*tally, lines int) {
	up, all := 0, 0
	services := slices.Clone(v.Table.Services)
	for _, s := range services {
		name := muster.Fold(s.Service)
		tl := tallies[name]
		if tl == nil {
			tl = &tally{seen: s}
			tallies[name] = tl
		}
		if tl.seen != s {
			tl.seen, tl.changes, tl.last = s, tl.changes+1, time.Now()
		}
		up, all = up+len(s.Up()), all+len(s.Instances)
	}
	last := func(s *muster.Snapshot) time.Time { return tallies[muster.Fold(s.Service)].last }
	slices.SortStableFunc(services, func(a, b *muster.Snapshot) int { return last(b).Compare(last(a)) })
	hidden := 0
	if room := max(lines-topFrame, 1); lines > 0 && len(services) > room {
		hidden = len(services) - room
		services = services[:room]
	}
	t := newTable(c.paint(), "SERVICE", "UP", "INSTANCES", "CHANGES", "LAST", "EFFECTIVE", "BECAUSE")
	for _, s := range services {
		tl := tallies[muster.Fold(s.Service)]
		t.add(s.Service, strconv.Itoa(len(s.Up())), strconv.Itoa(len(s.Instances)), strconv.Itoa(tl.changes), age(tl.last), serviceStatus(s), whyNotAll(s))
	}
	fmt.Fprintf(b, "muster top · %s · %s of %s up · list confirmed %s ago", time.Now().Format("15:04:05"), strconv.Itoa(up), count(all, "instance"), age(v.Fresh))
	if v.Stale != nil {
		fmt.Fprintf(b, " · STALE: %s", plain(v.Stale.Error()))
	}
	b.WriteString("\x1b[K\n\n")
	var rows bytes.Buffer
	_, _ = t.WriteTo(&rows) // to memory
	for line := range bytes.Lines(rows.Bytes()) {
		b.Write(bytes.TrimRight(line, "\n"))
		b.WriteString("\x1b[K\n")
	}
	if hidden > 0 {
		fmt.Fprintf(b, "… and %s more\x1b[K\n", count(hidden, "service"))
	}
}

// topFrame is how many lines of a frame are no services: two above the table, its head, what is hidden, and the one that the
// cursor is left on.
const topFrame = 5
