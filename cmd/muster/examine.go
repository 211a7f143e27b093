package main

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/release"
)

// What each finding looks for, in the order of their codes.

func findUnreachable(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Kind == unreachable {
			out = append(out, symptom{What: fmt.Sprintf("%s: %v", a.Server, a.Err)})
		}
	}
	return out
}

func findForeign(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Kind == foreign {
			out = append(out, symptom{What: fmt.Sprintf("%s: %v", a.Server, a.Err)})
		}
	}
	return out
}

func findLoading(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Err == nil && !a.Status.Loaded {
			out = append(out, symptom{What: a.Server + ": " + a.Status.Journal})
		}
	}
	return out
}

func findPreserving(x *examination) (out []symptom) {
	for _, a := range x.servers {
		for _, n := range a.Status.Namespaces {
			if n.Preserving {
				out = append(out, symptom{What: a.Server + ": " + n.Why})
			}
		}
	}
	return out
}

func findHeld(x *examination) (out []symptom) {
	for _, a := range x.servers {
		for _, n := range a.Status.Namespaces {
			if n.Probes == nil {
				continue
			}
			for _, service := range n.Probes.Held {
				out = append(out, symptom{Service: service, What: fmt.Sprintf("%s, namespace %s", a.Server, n.Namespace)})
			}
		}
	}
	return out
}

func findStaticDown(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		for _, in := range s.Instances {
			if in.Static && in.Status == muster.Down {
				out = append(out, symptom{s.Service, in.ID, in.Effective().Because})
			}
		}
	}
	return out
}

func findJournal(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Err == nil && a.Status.Loaded && a.Status.Journal != "" {
			out = append(out, symptom{What: fmt.Sprintf("%s, for %s: %s", a.Server, age(a.Status.JournalSince), a.Status.Journal)})
		}
	}
	return out
}

func findDisk(x *examination) []symptom {
	if x.data == "" || x.data == memoryData {
		return nil
	}
	free, total, err := x.free(x.data)
	if err != nil || total == 0 || free >= 64<<20 && float64(free) >= 0.05*float64(total) {
		return nil // err: the server's data are somewhere else
	}
	return []symptom{{What: fmt.Sprintf("%s has %d MiB of %d MiB left", x.data, free>>20, total>>20)}}
}

func findNamespace(x *examination) []symptom {
	if !x.view.Loaded || len(x.view.Table.Services) > 0 {
		return nil
	}
	others := map[string]int{}
	for _, a := range x.servers {
		for _, n := range a.Status.Namespaces {
			if n.Instances > 0 {
				others[n.Namespace] = n.Instances
			}
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []symptom{{What: fmt.Sprintf("nothing is registered in %s, but something is in %s", x.namespace, strings.Join(slices.Sorted(maps.Keys(others)), ", "))}}
}

func findStale(x *examination) []symptom {
	loading := slices.ContainsFunc(x.servers, func(a answer) bool { return a.Err == nil && !a.Status.Loaded })
	switch {
	case x.view.Stale == nil || x.alone() || loading: // the last two are findings of their own
		return nil
	case !x.view.Loaded:
		return []symptom{{What: fmt.Sprintf("it does not come at all: %v", x.view.Stale)}}
	}
	return []symptom{{What: fmt.Sprintf("it is from %s ago: %v", age(x.view.Fresh), x.view.Stale)}}
}

// findDuplicates says each address once, however many have it.
func findDuplicates(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		owners := map[muster.Endpoint][]string{}
		for _, in := range s.Instances {
			for _, e := range in.Endpoints {
				if !slices.Contains(owners[e], in.ID) {
					owners[e] = append(owners[e], in.ID)
				}
			}
		}
		for _, e := range slices.SortedFunc(maps.Keys(owners), func(a, b muster.Endpoint) int { return strings.Compare(a.String(), b.String()) }) {
			switch ids := owners[e]; {
			case len(ids) == 2:
				out = append(out, symptom{s.Service, ids[1], fmt.Sprintf("%s is %s's too", e, ids[0])})
			case len(ids) > 2:
				out = append(out, symptom{s.Service, ids[1], fmt.Sprintf("%s is %s's too, and that of %d more", e, ids[0], len(ids)-2)})
			}
		}
	}
	return out
}

func findLoopback(x *examination) (out []symptom) {
	if len(x.servers) == 0 || slices.ContainsFunc(x.servers, func(a answer) bool { return onLoopback(a.Server) }) {
		return nil
	}
	for _, s := range x.view.Table.Services {
		for _, in := range s.Instances {
			for _, e := range in.Endpoints {
				if onLoopback(e.Address) {
					out = append(out, symptom{s.Service, in.ID, fmt.Sprintf("%s, in a registry at %s", e, x.servers[0].Server)})
				}
			}
		}
	}
	return out
}

func findOdd(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		for _, in := range s.Instances {
			for _, e := range in.Endpoints {
				if why := odd(e); why != "" {
					out = append(out, symptom{s.Service, in.ID, fmt.Sprintf("%s: %s", e, why)})
				}
			}
		}
	}
	return out
}

func findZone(x *examination) []symptom {
	if x.zone == "" || len(x.view.Table.Services) == 0 {
		return nil
	}
	zones := map[string]bool{}
	for _, s := range x.view.Table.Services {
		for _, in := range s.Instances {
			zones[in.Zone] = true
		}
	}
	if zones[x.zone] {
		return nil
	}
	delete(zones, "")
	what := "no instance has a zone"
	if len(zones) > 0 {
		what = "instances are in " + abbreviate(slices.Sorted(maps.Keys(zones)), 6)
	}
	return []symptom{{What: fmt.Sprintf("%q is set here, %s", x.zone, what)}}
}

func findSkipped(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		if n := len(s.Skipped); n > 0 {
			out = append(out, symptom{Service: s.Service, What: fmt.Sprintf("%s, the first %s: %s", count(n, "entry"), s.Skipped[0].Key, s.Skipped[0].Why)})
		}
	}
	return out
}

func findDisabled(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		if every(s, disabled) {
			it := s.Instances[0].Intent
			out = append(out, symptom{Service: s.Service, What: fmt.Sprintf("all %d, the first %s", len(s.Instances), because(it))})
		}
	}
	return out
}

func findWeightless(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		if every(s, func(in *muster.Instance) bool { return in.Effective().Weight == 0 }) && !every(s, disabled) {
			out = append(out, symptom{Service: s.Service, What: fmt.Sprintf("all %d", len(s.Instances))})
		}
	}
	return out
}

func findDown(x *examination) (out []symptom) {
	for _, s := range x.view.Table.Services {
		if len(s.Instances) > 0 && len(s.Up()) == 0 && slices.ContainsFunc(s.Instances, func(in *muster.Instance) bool {
			return !disabled(in) && in.Effective().Weight > 0
		}) {
			out = append(out, symptom{Service: s.Service, What: whyNotAll(s)})
		}
	}
	return out
}

func findOrphans(x *examination) (out []symptom) {
	for k, it := range x.wanted {
		out = append(out, symptom{k.Service, k.ID, fmt.Sprintf("%s, %s", wish(it), because(it))})
	}
	slices.SortFunc(out, func(a, b symptom) int { return strings.Compare(a.Service+"/"+a.Instance, b.Service+"/"+b.Instance) })
	return out
}

// maxSkew is the difference of clocks that is worth saying.
const maxSkew = 5 * time.Second

func findClock(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if d := a.Clock.Abs(); a.Err == nil && d > maxSkew {
			way := "ahead"
			if a.Clock < 0 {
				way = "behind"
			}
			out = append(out, symptom{What: fmt.Sprintf("%s is %s %s", a.Server, short(d), way)})
		}
	}
	return out
}

func findVersions(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Err == nil && a.Status.Version != x.version && !release.TooFar(a.Status.Version, x.version) {
			out = append(out, symptom{What: fmt.Sprintf("%s is %s, this program is %s", a.Server, a.Status.Version, x.version)})
		}
	}
	return out
}

func findTooFar(x *examination) (out []symptom) {
	for _, a := range x.servers {
		if a.Err == nil && release.TooFar(a.Status.Version, x.version) {
			out = append(out, symptom{What: tooFar(a.Server, a.Status.Version, x.version)})
		}
	}
	return out
}

// tooFar says which two versions are.
func tooFar(server, theirs, ours string) string {
	return fmt.Sprintf("%s is %s, this program is %s: more than %d minor versions apart", server, theirs, ours, release.Reach)
}

func every(s *muster.Snapshot, is func(*muster.Instance) bool) bool {
	return len(s.Instances) > 0 && !slices.ContainsFunc(s.Instances, func(in *muster.Instance) bool { return !is(in) })
}

func disabled(in *muster.Instance) bool {
	return in.Intent != nil && in.Intent.Enabled != nil && !*in.Intent.Enabled
}

// because says who wanted it, since when, and why.
func because(it *muster.Intent) string {
	out := fmt.Sprintf("by %s %s ago", it.By, age(it.At))
	if it.Why != "" {
		out += ": " + it.Why
	}
	return out
}

// onLoopback reports whether host:port is on the machine of whoever reads it.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// spoken are the schemes that clients of muster, and of what it stands in for, know what to do with. Another one is its users' own
// affair, unless it is nearly one of these.
var spoken = [...]string{"http", "https", "h2c", "grpc", "grpcs", "thrift", "thrifts", "tcp", "tls", "udp", "ws", "wss", "rpc", "gorpc", "amqp", "amqps", "redis", "smtp"}

// odd says what is odd about an endpoint, or nothing.
func odd(e muster.Endpoint) string {
	if !slices.Contains(spoken[:], e.Scheme) && len(nearest(e.Scheme, spoken[:])) > 0 {
		return "the scheme is unknown" + meant(e.Scheme, spoken[:], "muster instances")
	}
	host, _, err := net.SplitHostPort(e.Address)
	if err != nil {
		return "the address is not host:port"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return ""
	case ip.IsUnspecified():
		return "it names no machine"
	case ip.IsLinkLocalUnicast():
		return "a link-local address is reached from its own network segment only"
	case ip.IsMulticast():
		return "it is a multicast address"
	}
	return ""
}
