package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

// selector chooses instances by what they are, in place of their IDs. Everything given must hold.
type selector struct {
	zone    string
	version string
	labels  []string // k=v, or k alone
	all     bool
	late    bool
	since   lateness // filled by findLate
}

func (s *selector) addFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&s.zone, "zone", "", "only instances in this zone")
	fs.StringVar(&s.version, "version", "", "only instances of this version")
	fs.StringArrayVarP(&s.labels, "label", "l", nil, "only instances whose metadata have k=v, or k at all; may be repeated")
}

// addAll adds --all, for commands that must not take everything by mistake.
func (s *selector) addAll(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all", false, "every instance of the service")
}

// addLate adds --late, for commands that call findLate.
func (s *selector) addLate(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.late, "late", false, "only instances whose heartbeats are missing")
}

func (s *selector) empty() bool {
	return s.zone == "" && s.version == "" && len(s.labels) == 0 && !s.all && !s.late
}

func (s *selector) matches(in *muster.Instance) bool {
	if s.zone != "" && in.Zone != s.zone || s.version != "" && in.Version != s.version {
		return false
	}
	if s.late && s.since.of(in).IsZero() {
		return false
	}
	for _, label := range s.labels {
		k, want, valued := strings.Cut(label, "=")
		got, ok := in.Metadata[k]
		if !ok || valued && got != want {
			return false
		}
	}
	return true
}

// String is the selector as it is typed.
func (s *selector) String() string {
	var parts []string
	if s.zone != "" {
		parts = append(parts, "--zone "+s.zone)
	}
	if s.version != "" {
		parts = append(parts, "--version "+s.version)
	}
	for _, l := range s.labels {
		parts = append(parts, "-l "+l)
	}
	if s.late {
		parts = append(parts, "--late")
	}
	if s.all {
		parts = append(parts, "--all")
	}
	return strings.Join(parts, " ")
}

// choose returns the instances of snap that ids (IDs, or what only one ID begins with) and sel name, sorted by ID.
func choose(snap *muster.Snapshot, ids []string, sel *selector) ([]*muster.Instance, error) {
	switch {
	case len(ids) == 0 && sel.empty():
		return nil, usage("which instance of %s? Name IDs (muster instances %s), or select with --zone, --version, -l, or --all", snap.Service, snap.Service)
	case len(ids) > 0 && !sel.empty():
		return nil, usage("name IDs or select with %s, not both", sel)
	}
	if len(ids) == 0 {
		out := slices.DeleteFunc(slices.Clone(snap.Instances), func(in *muster.Instance) bool { return !sel.matches(in) })
		if len(out) == 0 {
			return nil, notFound("%s has no instance with %s among its %d", snap.Service, sel, len(snap.Instances))
		}
		return out, nil
	}
	var out []*muster.Instance
	for _, id := range ids {
		in, err := byID(snap, id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, in) {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(a, b *muster.Instance) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// byID finds the instance with that ID, or the only one whose ID begins with it.
func byID(snap *muster.Snapshot, id string) (*muster.Instance, error) {
	if in := snap.Instance(id); in != nil {
		return in, nil
	}
	var found []string
	for _, in := range snap.Instances {
		if id != "" && strings.HasPrefix(in.ID, id) {
			found = append(found, in.ID)
		}
	}
	switch len(found) {
	case 0:
		return nil, notFound("%s has no instance %q%s", snap.Service, id, meant(id, ids(snap), "muster instances "+snap.Service))
	case 1:
		return snap.Instance(found[0]), nil
	}
	return nil, usage("%q begins the IDs of %d instances of %s: %s", id, len(found), snap.Service, abbreviate(found, 5))
}

func ids(snap *muster.Snapshot) []string {
	out := make([]string, len(snap.Instances))
	for i, in := range snap.Instances {
		out[i] = in.ID
	}
	return out
}

// abbreviate joins the first n of names.
func abbreviate(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
