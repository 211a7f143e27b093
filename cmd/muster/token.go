package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/registry/open"
)

func (c *cli) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens: who may do what",
		Long: `Makes, lists and revokes tokens of muster serve. A token is shown as Bearer, or as the password of HTTP Basic:
muster://x:TOKEN@host:8761, MUSTER_TOKEN, or http://x:TOKEN@host:8761/eureka in any Eureka client.

Rights: read · register[:PATTERN] · operate[:PATTERN] (and read) · admin (everything). In a pattern of services * is
any text; --namespace bounds a token to one namespace.

On the machine of the server, its user and root need no token: the server's control socket in --data is asked, or
its data are written when it does not run. From elsewhere a token with admin is needed.`,
		Example: `  muster token create ops --allow admin --data /var/lib/muster
  T=$(muster token create orders --allow 'register:ORDERS*' --allow read --namespace prod --expires 90d)
  muster token list
  muster token revoke orders`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("token wants create, list or revoke")
		},
	}
	cmd.AddCommand(c.tokenCreateCommand(), c.tokenListCommand(), c.tokenRevokeCommand())
	return cmd
}

func (c *cli) tokenCreateCommand() *cobra.Command {
	var a administration
	var allow []string
	var certificate, expires, why string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token; it is printed once",
		Long: `Makes a token and prints it, alone, on standard output. The server keeps a hash of it and cannot show it again.

With --certificate nothing is printed: the client certificate of that name has the rights then. The name is a URI,
a DNS name or the common name of a certificate that --client-ca of the server vouches for.`,
		Example: `  muster token create ops --allow admin --data /var/lib/muster
  T=$(muster token create orders --allow 'register:ORDERS*' --allow read --namespace prod --expires 90d)
  muster token create orders-mtls --certificate orders.example --allow register:ORDERS`,
		Args: exactly(1, "a name for the token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			life, err := parseLife(expires)
			if err != nil {
				return err
			}
			if _, err := access.ParseRights(allow); err != nil {
				return err
			}
			namespace, err := c.boundTo(&a)
			if err != nil {
				return err
			}
			return c.createToken(cmd.Context(), &a, why, nativewire.TokenWish{
				Name: args[0], Allow: allow, Namespace: namespace, Certificate: certificate, Expires: nativewire.Duration(life),
			})
		},
	}
	a.addFlags(cmd)
	cmd.Flags().StringSliceVar(&allow, "allow", nil, "a right: read, register[:PATTERN], operate[:PATTERN] or admin; may be repeated")
	cmd.Flags().StringVar(&expires, "expires", "", "how long it holds, such as 90d or 12h; without it until it is revoked")
	cmd.Flags().StringVar(&certificate, "certificate", "", "give the rights to the client certificate of this name instead")
	cmd.Flags().StringVar(&why, "why", "", "what it is for, for whoever wonders later")
	_ = cmd.RegisterFlagCompletionFunc("allow", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"read", "register", "register:", "operate", "operate:", "admin"}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	return cmd
}

func (c *cli) tokenListCommand() *cobra.Command {
	var a administration
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List tokens, without their text",
		Example: "  muster token list\n  muster token list -o json",
		Args:    none,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context(), &a) },
	}
	a.addFlags(cmd)
	return cmd
}

func (c *cli) tokenRevokeCommand() *cobra.Command {
	var a administration
	var why string
	cmd := &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Take a token's rights away, at once",
		Long:    "Takes a token's rights away at once; streams that it holds end. What was registered with it stays until its lease ends.",
		Example: "  muster token revoke orders --why 'it was in a log'",
		Args:    exactly(1, "the name of a token"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.revokeToken(cmd.Context(), &a, args[0], why) },
	}
	a.addFlags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the audit")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.completeTokens(cmd, &a, args, typed)
	}
	return cmd
}

const pathTokens = "/api/v1/tokens"

func (c *cli) createToken(ctx context.Context, a *administration, why string, wish nativewire.TokenWish) error {
	path := pathTokens
	if why != "" {
		path += "?why=" + url.QueryEscape(why)
	}
	var made nativewire.NewToken
	if err := c.administer(ctx, a, "create token", http.MethodPost, path, wish, &made); err != nil {
		return err
	}
	held := strings.Join(made.Allow, ", ")
	if made.Namespace != "" {
		held += " in namespace " + made.Namespace
		switch from := c.set.values["namespace"].From; {
		case c.text("namespace") == "":
			held += " (the registry's own; --namespace '' for all)"
		case !strings.HasPrefix(from, "flag"):
			held += " (" + from + ")"
		}
	}
	until := "until it is revoked"
	if !made.Expires.IsZero() {
		until = "until " + made.Expires.Local().Format(time.RFC3339)
	}
	what := "Token " + made.Name
	if made.Certificate != "" {
		what = "Certificate " + made.Certificate
	}
	c.progress("%s may %s, %s.", what, held, until)
	if made.Text != "" {
		c.progress("It is shown this once: keep it where its user alone reads it. To end it: muster token revoke %s", made.Name)
	}
	if c.structured() {
		return c.print(printed{Value: made, Names: []string{made.Name}})
	}
	if made.Text != "" {
		fmt.Fprintln(c.stdout, made.Text)
	}
	return nil
}

// boundTo is the namespace that a token is bound to: the one asked for, else the one that the registry's URL names, where a
// registry was named. --namespace with nothing in it is every namespace.
//
// Errors: Invalid.
func (c *cli) boundTo(a *administration) (string, error) {
	asked := c.set.values["namespace"]
	if a.data != "" || c.set.values["registry"].From == "default" || strings.HasPrefix(asked.From, "flag") || asked.Value != "" {
		return asked.Value, nil
	}
	raw, namespace, err := c.registryURL()
	if err != nil {
		return "", err
	}
	u, err := open.Parse(raw)
	if err != nil {
		return "", err
	}
	return cmp.Or(namespace, strings.TrimSuffix(u.Path, "/")), nil
}

func (c *cli) listTokens(ctx context.Context, a *administration) error {
	began := time.Now()
	var list nativewire.TokenList
	if err := c.administer(ctx, a, "list tokens", http.MethodGet, pathTokens, nil, &list); err != nil {
		return err
	}
	var names []string
	for _, t := range list.Items {
		names = append(names, t.Name)
	}
	serves := list.Since.Before(began) // else this program has read the data of a server that does not run
	if err := c.print(printed{
		Value: list,
		Names: names,
		Table: func(wide bool) *table {
			head := []string{"NAME", "NAMESPACE", "EXPIRES", "LAST USE", "BY", "CREATED", "SHOWN AS", "MAY"}
			if wide {
				head = append(head, "WHY")
			}
			t := newTable(false, head...)
			if !wide {
				t.spare = []string{"CREATED", "BY", "SHOWN AS"}
			}
			for _, k := range list.Items {
				row := []string{k.Name, orWord(k.Namespace, "all"), expiry(k.Expires), used(k.Used, serves), k.By, k.Created.Local().Format(time.DateOnly), orWord(k.Certificate, "token"), strings.Join(k.Allow, ", ")}
				if wide {
					row = append(row, k.Why)
				}
				t.add(row...)
			}
			return t
		},
	}); err != nil {
		return err
	}
	if !list.Since.IsZero() && serves && !c.structured() {
		c.say("Uses are known since the start of the server, %s.", list.Since.Format("2006-01-02 15:04:05 MST"))
	}
	return nil
}

func (c *cli) revokeToken(ctx context.Context, a *administration, name, why string) error {
	path := pathTokens + "/" + url.PathEscape(name)
	if why != "" {
		path += "?why=" + url.QueryEscape(why)
	}
	if err := c.administer(ctx, a, "revoke token", http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	c.progress("Token %s has no rights any more.", name)
	return nil
}

// completeTokens completes the name of a token, where asking for them needs no patience.
func (c *cli) completeTokens(cmd *cobra.Command, a *administration, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.resolve(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), tabWithin)
	defer cancel()
	var list nativewire.TokenList
	if c.administer(ctx, a, "list tokens", http.MethodGet, pathTokens, nil, &list) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range list.Items {
		names = append(names, t.Name+"\t"+strings.Join(t.Allow, ", "))
	}
	return beginning(names, typed), cobra.ShellCompDirectiveNoFileComp
}

// parseLife reads a time to live: Go's durations, and days as in 90d. "" is for ever.
func parseLife(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n < 100_000 {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d <= 0 {
		return 0, usage("--expires %q is not a time to live such as 90d or 12h", s)
	}
	return d, nil
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

func expiry(t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case time.Now().After(t):
		return "over"
	}
	return "in " + short(time.Until(t))
}

// used says when a token was shown, as far as a server that serves knows.
func used(t time.Time, serves bool) string {
	switch {
	case !serves:
		return "not known"
	case t.IsZero():
		return "not since the start"
	}
	return age(t) + " ago"
}
