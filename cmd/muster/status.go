package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the registry is",
		Long: `Shows the state of each server of the registry: since when it runs, how many instances it has, whether
self-preservation holds what fell silent and why, and whether its journal has everything.`,
		Example: `  muster status
  muster status -o json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.status(cmd.Context()) },
	}
}

// serverStatus is the state of one server, and which one.
type serverStatus struct {
	Server string `json:"server"`
	*nativewire.Status
	Error string `json:"error,omitempty"`
}

// statuses is what `muster status` prints of a registry that has servers.
type statuses struct {
	Items   []serverStatus `json:"items"`
	Program string         `json:"program"` // version of this program
}

func (c *cli) status(ctx context.Context) error {
	web, err := c.servers()
	if muster.CodeOf(err) == muster.Unsupported {
		return c.statusOfList(ctx)
	}
	if err != nil {
		return err
	}
	answers := c.askServers(ctx, web)
	if err := firstError(answers); err != nil {
		return err
	}
	list := statuses{Program: version()}
	for i, a := range answers {
		s := serverStatus{Server: a.Server, Status: &answers[i].Status}
		if a.Err != nil {
			s.Status, s.Error = nil, a.Err.Error()
		}
		list.Items = append(list.Items, s)
	}
	err = c.print(printed{Value: list, Names: web.hosts, Table: func(bool) *table { return statusTable(answers) }})
	if err == nil && !c.structured() {
		c.warnings(answers)
	}
	return err
}

func statusTable(answers []answer) *table {
	t := newTable(false, "SERVER", "VERSION", "UP FOR", "NAMESPACE", "SERVICES", "INSTANCES", "UP", "LATE", "HEARTBEATS/MIN", "EXPECTED", "SELF-PRESERVATION", "JOURNAL")
	t.spare = []string{"VERSION", "EXPECTED", "SERVICES", "HEARTBEATS/MIN", "UP FOR"} // -o json has them
	for _, a := range answers {
		if a.Err != nil {
			t.add(a.Server, "", "", "", "", "", "", "", "", "", "", "does not answer")
			continue
		}
		st := a.Status
		spaces := st.Namespaces
		if len(spaces) == 0 {
			spaces = []nativewire.NamespaceStatus{{Namespace: muster.DefaultNamespace}}
		}
		for i, n := range spaces {
			server, version, life := a.Server, st.Version, age(st.Started)
			if i > 0 {
				server, version, life = "", "", ""
			}
			t.add(server, version, life, n.Namespace, strconv.Itoa(n.Services), strconv.Itoa(n.Instances), strconv.Itoa(n.Effective["up"]),
				strconv.Itoa(n.Late), fmt.Sprintf("%.0f", n.Seen), fmt.Sprintf("%.0f", n.Expected),
				preservation(st, n), journalState(st))
		}
	}
	return t
}

// preservation is what self-preservation does in a namespace; the whole sentence stands below the table.
func preservation(st nativewire.Status, n nativewire.NamespaceStatus) string {
	switch {
	case n.Preserving:
		return fmt.Sprintf("holding: %d of %d late", n.Late, n.Instances)
	case !st.Preserve:
		return "off"
	}
	return "armed"
}

func journalState(st nativewire.Status) string {
	switch {
	case st.Journal == "":
		return "ok"
	case st.JournalSince.IsZero():
		return st.Journal
	}
	return "behind for " + age(st.JournalSince)
}

// warnings says below the table what an operator should read in full.
func (c *cli) warnings(answers []answer) {
	for _, a := range answers {
		switch {
		case a.Err != nil:
			c.say("%s: %v", a.Server, a.Err)
		case a.Status.Journal != "":
			c.say("%s: journal: %s", a.Server, a.Status.Journal)
		}
		if v := a.Status.Version; a.Err == nil && v != version() {
			c.say("%s is %s, this program is %s.", a.Server, v, version())
		}
		if a.Err == nil {
			c.tellAccessOf(a)
		}
		for _, n := range a.Status.Namespaces {
			if n.Preserving {
				c.say("%s: %s", a.Server, n.Why)
			}
			c.sayProbes(a.Server, n)
		}
		for _, near := range nearLimits(a.Status.Limits) {
			c.say("%s: %s", a.Server, near)
		}
	}
}

// listStatus is what `muster status` prints of any other registry.
type listStatus struct {
	Namespace string    `json:"namespace"`
	Services  int       `json:"services"`
	Instances int       `json:"instances"`
	Up        int       `json:"up"`
	Fresh     time.Time `json:"fresh"`
	Stale     string    `json:"stale,omitempty"`
}

// sayProbes says what the server's prober does in a namespace, if it does anything there.
func (c *cli) sayProbes(server string, n nativewire.NamespaceStatus) {
	p := n.Probes
	if p == nil {
		return
	}
	c.say("%s: namespace %s: %s probed, %d judged down", server, n.Namespace, count(p.Instances, "instance"), p.Down)
	if p.Refused > 0 {
		c.say("%s: namespace %s: %d of them are not asked, because their address is loopback, link-local or a cloud's metadata service (--probe-allow)", server, n.Namespace, p.Refused)
	}
	for _, service := range p.Held {
		c.say("%s: namespace %s: more than half of %s fail at once, so nobody is judged: check the network between the server and them", server, n.Namespace, service)
	}
}

// tellAccessOf says what of a server's access an operator should know: how long its certificate holds, and that others than on its
// own machine need no token.
func (c *cli) tellAccessOf(a answer) {
	if cert := a.Status.Certificate; cert != nil {
		c.say("%s: the certificate of %s expires %s, %s", a.Server, strings.Join(cert.Names, ", "), expiry(cert.NotAfter), cert.NotAfter.Format(time.RFC3339))
		if cert.Trouble != "" {
			c.say("%s: the certificate's files cannot be used, the pair from before is kept: %s", a.Server, cert.Trouble)
		}
	}
	if may := a.Status.Anonymous; a.Status.Exposed { // as the server sees it: it may be reached under other addresses than this one
		c.say("%s: it can be reached from other machines, and whoever reaches it may %s without a token (--anonymous %s)", a.Server, map[string]string{"read": "read everything", "all": "register and govern"}[may], may)
	}
}

// statusOfList is all that can be said of a back end that has no state to ask for.
func (c *cli) statusOfList(ctx context.Context) error {
	v, err := c.view(ctx)
	if err != nil {
		return err
	}
	instances, up := 0, 0
	for _, s := range v.Table.Services {
		instances += len(s.Instances)
		up += len(s.Up())
	}
	stale := ""
	if v.Stale != nil {
		stale = v.Stale.Error()
	}
	out := listStatus{c.open.Namespace(), len(v.Table.Services), instances, up, v.Fresh.UTC(), stale}
	return c.print(printed{
		Value: out,
		Names: []string{out.Namespace},
		Table: func(bool) *table {
			t := newTable(false, "NAMESPACE", "SERVICES", "INSTANCES", "UP", "CONFIRMED", "STALE")
			t.add(out.Namespace, strconv.Itoa(out.Services), strconv.Itoa(instances), strconv.Itoa(up), age(v.Fresh)+" ago", strings.TrimSpace(stale))
			return t
		},
	})
}
