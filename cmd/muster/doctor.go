package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) doctorCommand() *cobra.Command {
	var code string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is usually wrong, and say what to do",
		Long: `Looks for a closed list of things that are usually wrong with a registry and what is registered in it. Each finding
has a code that keeps its meaning; --explain CODE says more, --explain all lists every code. It changes nothing.
Exit code 1 when there is something to say, 4 when no server answers.`,
		Example: `  muster doctor
  muster doctor --explain M104
  muster doctor -o json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if code != "" {
				return c.explainFinding(code)
			}
			return c.doctor(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&code, "explain", "", "explain a finding, such as M104; all lists them")
	// A flag that does not exist would show in the tests.
	_ = cmd.RegisterFlagCompletionFunc("explain", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, f := range findings() {
			out = append(out, f.Code+"\t"+f.Title)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// diagnosis is one finding at one place, as it is printed.
type diagnosis struct {
	Code     string `json:"code"`
	Title    string `json:"title"`
	Service  string `json:"service,omitempty"`
	Instance string `json:"id,omitempty"`
	What     string `json:"what"`
	Do       string `json:"do"`
}

// findingsShown is what `muster doctor` prints.
type findingsShown struct {
	Items []diagnosis `json:"items"`
}

func (c *cli) doctor(ctx context.Context) error {
	x, err := c.examine(ctx)
	if err != nil {
		return err
	}
	found := diagnose(x)
	var names []string
	for _, d := range found {
		names = append(names, d.Code)
	}
	if len(found) == 0 {
		c.progress("Nothing found; %d things were looked for.", len(findings()))
		if !c.structured() {
			return nil
		}
	}
	err = c.print(printed{
		Value: findingsShown{found},
		Names: slices.Compact(names),
		Table: func(bool) *table {
			t := newTable(false, "CODE", "SERVICE", "INSTANCE", "WHAT")
			for _, d := range found {
				t.add(d.Code, d.Service, d.Instance, d.Title+": "+d.What)
			}
			return t
		},
	})
	if err != nil || len(found) == 0 {
		return err
	}
	c.progress("muster doctor --explain CODE says what it means and what to do.")
	if x.alone() {
		return &exitError{code: exitUnreachable}
	}
	return &exitError{code: exitFailed}
}

// diagnose looks for everything.
func diagnose(x *examination) []diagnosis {
	found := []diagnosis{}
	for _, f := range findings() {
		for _, s := range f.find(x) {
			found = append(found, diagnosis{f.Code, f.Title, s.Service, s.Instance, s.What, f.Do})
		}
	}
	return found
}

// explainFinding prints what a code means.
func (c *cli) explainFinding(code string) error {
	var codes []string
	t := newTable(false, "CODE", "TITLE")
	for _, f := range findings() {
		if strings.EqualFold(f.Code, code) {
			c.say("%s: %s\n\n%s\n\nWhat to do: %s", f.Code, f.Title, f.Why, f.Do)
			return nil
		}
		codes = append(codes, f.Code)
		t.add(f.Code, f.Title)
	}
	if code != "all" {
		return notFound("there is no finding %q%s", code, meant(code, codes, "muster doctor --explain all"))
	}
	_, err := t.WriteTo(c.stdout)
	return err
}

// examination is everything that findings are looked for in, gathered once.
type examination struct {
	registry  string   // URL, masked
	namespace string   // of the list
	zone      string   // set here
	version   string   // of this program
	servers   []answer // empty when the registry has no servers to ask
	view      *muster.View
	wanted    map[muster.Key]*muster.Intent // intents that the audit knows of and that still stand
	data      string                        // this machine's data directory, if a server is on this machine
	free      func(dir string) (free, total uint64, err error)
}

// examine gathers. That a server or the list does not answer is a finding, not an error.
func (c *cli) examine(ctx context.Context) (*examination, error) {
	r, err := c.registry(nil)
	if err != nil {
		return nil, err
	}
	x := &examination{
		registry: c.text("registry"), namespace: r.Namespace(), zone: c.text("zone"), version: version(),
		view: &muster.View{Table: &muster.Table{}}, wanted: map[muster.Key]*muster.Intent{}, free: diskFree,
	}
	web, err := c.servers()
	if err != nil && muster.CodeOf(err) != muster.Unsupported {
		return nil, err
	}
	x.servers = c.askServers(ctx, web)
	for _, a := range x.servers {
		if a.Kind == denied {
			return nil, a.Err
		}
		if a.Err == nil && onLoopback(a.Server) {
			x.data = c.text("serve.data")
		}
	}
	if x.alone() {
		return x, nil
	}
	v, err := c.view(ctx)
	if err != nil {
		if len(x.servers) == 0 {
			x.servers = []answer{{Server: x.registry, Err: err, Kind: unreachable}}
		}
		x.view.Stale = err
		return x, nil
	}
	x.view = v
	return x, c.gatherIntents(ctx, r, x)
}

// alone reports whether nobody answered.
func (x *examination) alone() bool {
	return len(x.servers) > 0 && !slices.ContainsFunc(x.servers, func(a answer) bool { return a.Err == nil })
}

// recent is how many audit records are read for the intents that wait for instances that are gone.
const recent = 1000

// gatherIntents finds intents of instances that are not registered: the audit names their keys, the store what still stands.
func (c *cli) gatherIntents(ctx context.Context, r *muster.Registry, x *examination) error {
	auditor, audited := r.Driver().(muster.Auditor)
	store, kept := r.Driver().(muster.IntentStore)
	if !audited || !kept {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	records, err := auditor.Audit(ctx, "", 0, recent)
	if err != nil {
		return err
	}
	asked := map[muster.Key]bool{}
	for _, rec := range records {
		k := rec.Key.Fold()
		if asked[k] || rec.Op != "intent" || x.view.Table.Snapshot(k.Service).Instance(k.ID) != nil {
			continue
		}
		asked[k] = true
		it, err := store.Intent(ctx, rec.Key)
		if err != nil {
			return err
		}
		if it != nil {
			x.wanted[rec.Key] = it
		}
	}
	return nil
}
