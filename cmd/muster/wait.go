package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) waitCommand() *cobra.Command {
	var want int
	var within time.Duration
	var sel selector
	cmd := &cobra.Command{
		Use:   "wait SERVICE",
		Short: "Wait until instances of a service may get traffic",
		Long: `Waits until as many instances may get traffic as --for says; with --for 0 until none does. It goes on while the
registry cannot be reached. Exit code 124 when --within is over.`,
		Example: `  muster wait ORDERS
  muster wait ORDERS --for 3 --within 2m --version 1.5.0
  muster wait ORDERS --for 0`,
		Args:              exactly(1, "a service"),
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			if want < 0 {
				return usage("--for %d is less than none", want)
			}
			return c.wait(cmd.Context(), args[0], want, within, &sel)
		},
	}
	cmd.Flags().IntVar(&want, "for", 1, "how many; 0 waits for none")
	cmd.Flags().DurationVar(&within, "within", time.Minute, "give up after this long")
	sel.addFlags(cmd)
	return cmd
}

func (c *cli) wait(ctx context.Context, service string, want int, within time.Duration, sel *selector) error {
	r, err := c.registry(nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	begun, last := time.Now(), -1
	up := 0
	_, err = r.Wait(ctx, service, func(s *muster.Snapshot) bool {
		up = 0
		for _, in := range s.Up() {
			if sel.matches(in) {
				up++
			}
		}
		done := want > 0 && up >= want || want == 0 && up == 0
		if up != last && !done {
			c.progress("%d of %d up", up, want)
			last = up
		}
		return done
	})
	if muster.CodeOf(err) == muster.Timeout {
		if v := r.View(); v.Stale != nil {
			return &muster.Error{Op: "wait", Service: service, Code: muster.Timeout, Err: v.Stale}
		}
	}
	if err != nil {
		return err
	}
	c.progress("%s: %s up after %s", service, count(up, "instance"), short(time.Since(begun)))
	return nil
}
