package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// routeStatus adds the state of the server, which is served while the store is loading too.
func (a *API) routeStatus(api huma.API) {
	add(a, api, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: pathStatus, Tags: []string{"server"},
		Summary: "The state of the server", Responses: problems(),
	}, to(access.Visit), a.status)
}

// status shows the server as a whole to whoever may read that, and to others what they may read of it, summed up anew.
func (a *API) status(ctx context.Context, _ *struct{}) (*struct{ Body nativewire.Status }, error) {
	st, p := a.store.State(), whoAsks(ctx)
	whole := reads(p, "")
	if !whole {
		a.confine(&st, p)
	}
	out := nativewire.Status{
		Version: a.opt.Version, Epoch: strconv.FormatUint(st.Epoch, 16), Started: st.Started.UTC(), Loaded: st.Loaded, Durable: st.Durable,
		Instances: st.Instances, Services: st.Services, Intents: st.Intents, Watchers: int(a.watchers.Load()),
		Journal: st.Journal, JournalSince: st.JournalSince, Preserve: !st.PreserveOff, Preserving: st.Preserving, Why: st.Why,
		Expected: st.Expected, Seen: st.Seen, Anonymous: a.opt.Door.Anonymous().String(), Exposed: a.opt.Exposed,
		Certificate: a.opt.Certificate(), Namespaces: make([]nativewire.NamespaceStatus, len(st.Namespaces)),
	}
	if out.Certificate != nil && !whole {
		out.Certificate.Trouble = "" // it names files
	}
	if whole {
		out.Limits = a.opt.Limits()
	}
	for i, n := range st.Namespaces {
		effective := map[string]int{}
		for s, count := range n.Counts {
			if count > 0 {
				effective[muster.Status(s).String()] = count
			}
		}
		out.Namespaces[i] = nativewire.NamespaceStatus{
			Namespace: n.Namespace, Revision: revision(st.Epoch, n.Seq), Instances: n.Instances, Services: n.Services,
			Effective: effective, Preserving: n.Preserving, Why: n.Why, Late: n.Late, Overdue: n.Overdue, Expected: n.Expected, Seen: n.Seen,
			Probes: a.opt.Probes(n.Namespace),
		}
	}
	return &struct{ Body nativewire.Status }{out}, nil
}

// confine leaves of a state what p may read.
func (a *API) confine(st *store.State, p *access.Principal) {
	all := st.Namespaces
	st.Namespaces, st.Instances, st.Services, st.Intents, st.Expected, st.Seen = nil, 0, 0, 0, 0, 0
	st.Preserving, st.Why = false, ""
	for _, n := range all {
		if !reads(p, n.Namespace) {
			continue
		}
		st.Namespaces = append(st.Namespaces, n)
		st.Instances += n.Instances
		st.Services += n.Services
		st.Intents += len(a.store.Intents(n.Namespace))
		st.Expected += n.Expected
		st.Seen += n.Seen
		if n.Preserving && !st.Preserving {
			st.Preserving, st.Why = true, n.Why
		}
	}
	if own := p.Namespace(); own != "" && len(st.Namespaces) == 0 && reads(p, own) { // it holds nothing yet
		st.Namespaces = []store.NamespaceState{{Namespace: own}}
	}
	if st.Journal != "" {
		st.Journal = "the journal does not have everything" // which file, is not everybody's matter
	}
}
