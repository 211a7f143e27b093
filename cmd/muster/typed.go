package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrongFlag says of a flag's value what is meant, and not which function of Go could not read it.
func wrongFlag(_ *cobra.Command, err error) error {
	e, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	want := errors.Unwrap(e).Error()
	switch e.GetFlag().Value.Type() {
	case "int":
		want = "a whole number is meant"
	case "uint64":
		want = "a whole number from 0 is meant"
	case "duration":
		want = "a time is meant, such as 30s or 1m30s"
	case "bool":
		want = "true or false is meant"
	}
	return usage("--%s %q: %s", e.GetFlag().Name, e.GetValue(), want)
}

// strictHelp makes help about what is not there an error, as every other typing mistake is.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		panic("cobra has no help command: " + err.Error()) // a mistake in this package
	}
	show := help.Run
	help.Run = nil
	help.RunE = func(cmd *cobra.Command, args []string) error {
		about, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 && about == root {
			var names []string
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			return usage("there is no help about %q%s", strings.Join(args, " "), meant(args[0], names, "muster help"))
		}
		show(cmd, args)
		return nil
	}
}
