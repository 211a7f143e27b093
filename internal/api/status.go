package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// routeStatus adds the state of the server, which is served while the store is loading too.
func (a *API) routeStatus(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: pathStatus, Tags: []string{"server"},
		Summary: "The state of the server", Responses: problems(),
	}, a.status)
}

func (a *API) status(context.Context, *struct{}) (*struct{ Body nativewire.Status }, error) {
	st := a.store.State()
	out := nativewire.Status{
		Version: a.opt.Version, Epoch: strconv.FormatUint(st.Epoch, 16), Started: st.Started.UTC(), Loaded: st.Loaded, Durable: st.Durable,
		Instances: st.Instances, Services: st.Services, Intents: st.Intents, Watchers: int(a.watchers.Load()),
		Journal: st.Journal, JournalSince: st.JournalSince, Preserve: !st.PreserveOff, Preserving: st.Preserving, Why: st.Why,
		Expected: st.Expected, Seen: st.Seen, Namespaces: make([]nativewire.NamespaceStatus, len(st.Namespaces)),
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
		}
	}
	return &struct{ Body nativewire.Status }{out}, nil
}
