package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	ctx, end := untilDenied(ctx, r)
	defer end()
	begun, last := time.Now(), -1
	up, listed, why := 0, 0, ""
	_, err = r.Wait(ctx, service, func(s *muster.Snapshot) bool {
		chosen := chosenOf(s, sel)
		up, listed, why = len(chosen.Up()), len(chosen.Instances), whyNotAll(chosen)
		done := want > 0 && up >= want || want == 0 && up == 0
		if up != last && !done {
			c.progress("%d up of %d registered, waiting for %s", up, listed, orNone(want))
			last = up
		}
		return done
	})
	if cause := context.Cause(ctx); muster.CodeOf(cause) == muster.Denied {
		return cause
	}
	if muster.CodeOf(err) == muster.Timeout {
		if v := r.View(); v.Stale != nil {
			return &muster.Error{Op: "wait", Service: service, Code: muster.Timeout, Err: v.Stale}
		}
		return &muster.Error{Op: "wait", Service: service, Code: muster.Timeout, Err: errors.New(waited(up, listed, want, why, within))}
	}
	if err != nil {
		return err
	}
	c.progress("%s: %s up after %s", service, count(up, "instance"), short(time.Since(begun)))
	return nil
}

// untilDenied ends a context, with the denial as its cause, when the registry refuses to say more: waiting on would be idle.
func untilDenied(ctx context.Context, r *muster.Registry) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() { // ends with ctx, and is waited for
		defer close(watching)
		for v := range r.Views(ctx) {
			if muster.CodeOf(v.Stale) == muster.Denied {
				cancel(v.Stale)
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-watching
	}
}

// chosenOf is the part of a list that sel names; of a service that is not listed an empty one.
func chosenOf(s *muster.Snapshot, sel *selector) *muster.Snapshot {
	if s == nil {
		return &muster.Snapshot{}
	}
	out := *s
	out.Instances = slices.DeleteFunc(slices.Clone(s.Instances), func(in *muster.Instance) bool { return !sel.matches(in) })
	return &out
}

// waited says what a wait that found no end saw last.
func waited(up, listed, want int, why string, within time.Duration) string {
	switch {
	case want == 0:
		return fmt.Sprintf("%d of %d still up after %s", up, listed, short(within))
	case listed == 0:
		return fmt.Sprintf("no instance is registered after %s", short(within))
	}
	return fmt.Sprintf("%s of %d up within %s, %d wanted%s", orNone(up), listed, short(within), want, after(": ", why))
}

// orNone writes a number of instances.
func orNone(n int) string {
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}
