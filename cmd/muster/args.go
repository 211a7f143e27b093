package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// none accepts no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// atLeast accepts n arguments or more; what says what they are.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("%s wants %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// exactly accepts n arguments; what says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s wants %s, got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

// count writes "1 instance", "3 instances".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		one = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, one)
}
