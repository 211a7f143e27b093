package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/config"
	"github.com/muster-go/muster/registry/open"
)

// cli is one run of the program: what the process was given, and what its commands share.
type cli struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	keys       []config.Key
	configPath string // --config
	set        settings
	begun      bool // a command's own work has begun: what goes wrong from now on is no mistake in typing

	log  *slog.Logger     // of the back end; nil: nobody listens
	open *muster.Registry // the back end, once a command asked for it
}

// run does what args say and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv, keys: settingKeys(getenv)}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	c.close()
	return c.report(cmd, err)
}

// root is the command tree.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "muster",
		Short: "Register, find, call and govern services",
		Long: `muster registers, finds, calls and governs services over the registries that teams already run.

Lists are nouns (services, instances), acts are verbs (disable, weight). Every list says whether an instance
may get traffic (EFFECTIVE) and why not (BECAUSE). Every act prints what changes and the command that undoes it.`,
		Example: `  muster serve                                 # a registry on this machine, for Eureka clients too
  muster services                              # what is registered
  muster disable ORDERS 10.0.0.7:8080 --why "bad disk" --for 30m
  muster undo                                  # take your last act back`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.resolve(cmd); err != nil {
				return err
			}
			c.begun = true
			return nil
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.PersistentFlags().StringVar(&c.configPath, "config", "", "muster.yaml to read; by default ./muster.yaml, then the user's (MUSTER_CONFIG)")
	c.addFlags(root.PersistentFlags(), "")
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "Run:"},
		&cobra.Group{ID: groupSee, Title: "See:"},
		&cobra.Group{ID: groupAct, Title: "Act:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	for group, commands := range c.commands() {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(exitCodesHelp())
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped "+strconv.Itoa(helpWidth)))
	root.SetFlagErrorFunc(wrongFlag)
	strictHelp(root)
	completions(root, c)
	return root
}

// The groups in which help lists commands.
const (
	groupServe = "serve"
	groupSee   = "see"
	groupAct   = "act"
	groupOther = "other"
)

// commands are the commands by group.
func (c *cli) commands() map[string][]*cobra.Command {
	return map[string][]*cobra.Command{
		groupServe: {c.serveCommand(), c.registerCommand(), c.callCommand(), c.demoCommand(), c.benchCommand()},
		groupSee: {
			c.servicesCommand(), c.instancesCommand(), c.explainCommand(), c.watchCommand(), c.topCommand(), c.waitCommand(),
			c.auditCommand(), c.statusCommand(), c.readyCommand(), c.doctorCommand(),
		},
		groupAct: {
			c.disableCommand(), c.enableCommand(), c.weightCommand(), c.noteCommand(), c.drainCommand(), c.deregisterCommand(),
			c.breakerCommand(), c.undoCommand(), c.backupCommand(), c.restoreCommand(),
		},
		groupOther: {c.configCommand(), c.tokenCommand(), c.versionCommand()},
	}
}

// helpWidth is how wide help is at most, in columns.
const helpWidth = 80

// report says on stderr what went wrong and returns the exit code.
func (c *cli) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	e, coded := errors.AsType[*exitError](err)
	code := exitCode(err)
	if !c.begun && !coded {
		code = exitUsage
	}
	if coded && e.err == nil {
		return code
	}
	c.progress("muster: %s", strings.TrimSpace(told(err)))
	switch {
	case code == exitDenied && c.showsNothing(err):
		c.progress("A token goes into MUSTER_TOKEN, or into the registry's URL: muster://x:TOKEN@host:8761")
	case code == exitUsage && cmd != nil:
		c.progress("See: %s --help", cmd.CommandPath())
	case code == exitUnreachable && distrusted(err):
		c.progress("The server's certificate is not one that this machine trusts: ?ca=FILE in the registry's URL names who vouches for it, ?server_name=NAME another name.")
	case code == exitUnreachable && c.open != nil:
		c.progress("%s", whereToLook(err))
	}
	return code
}

// told is the text of err for people: without the name of a step that no command has.
func told(err error) string {
	text := err.Error()
	e, ok := err.(*muster.Error)
	if ok && (e.Op == "watch" || e.Op == "open" || e.Op == "examine") && e.Service == "" {
		text = strings.TrimPrefix(text, e.Op+": ")
	}
	return text
}

// showsNothing reports whether err is a registry's, and was asked for without a token or a certificate.
func (c *cli) showsNothing(err error) bool {
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Op == opLive || c.text(tokenKey) != "" {
		return false
	}
	raw, _, err := c.registryURL()
	if err != nil {
		return false
	}
	u, err := open.Parse(raw)
	if err != nil || u.Scheme != "muster" {
		return false
	}
	token, err := u.Token()
	return err == nil && token == "" && u.Query.Get("cert") == ""
}

// distrusted reports whether the server's certificate could not be verified.
func distrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// whereToLook says what to do next when err is that the registry, or an instance, cannot be reached.
func whereToLook(err error) string {
	e, ok := errors.AsType[*muster.Error](err)
	if ok && e.Op == "call" && e.Instance != "" {
		return "The registry lists it, but it does not answer. Who else there is: muster explain " + e.Service
	}
	if ok && e.Op == opLive {
		return "Which programs answer: muster explain SERVICE --live"
	}
	return "Is muster serve running there? muster doctor looks closer."
}

// exitCodesHelp is a page of help without a command.
func exitCodesHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes:
    0  done
    1  it did not work
    2  what was typed is wrong
    3  not found, or no instance that may get traffic
    4  the registry or the instance cannot be reached
    5  denied
    6  the peer answered with an error
    7  somebody else changed or holds it
  124  the time ran out`,
	}
}
