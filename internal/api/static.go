package api

import (
	"net/http"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// mayRegister refuses, before their bodies are read, those who may register nothing at this key in either way.
func mayRegister(who *access.Principal, k muster.Key) error {
	act := access.Act{Verb: access.Register, Namespace: k.Namespace, Service: k.Service}
	err := who.May(act)
	if act.Verb = access.Operate; err == nil || who.May(act) == nil {
		return nil
	}
	return err
}

// place registers an instance without a lease, which is an operator's act.
func (a *API) place(r *http.Request, who *access.Principal, k muster.Key, reg *nativewire.Registration) (*store.Record, error) {
	if reg.TTL != 0 || reg.Owner != "" {
		return nil, invalid("a static instance has no ttl and no owner of its own: leave both out")
	}
	in, err := reg.Instance(k)
	if err != nil {
		return nil, err
	}
	in.Owner = randomOwner()
	var before *muster.Instance
	rec, err := a.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if err := old.Yields(k, true); err != nil {
			return nil, err
		}
		if before = nil; old != nil {
			in.Override, before = old.Instance.Override, old.Reported()
		}
		return &store.Record{Instance: in, Static: true, Payer: who.Payer(r)}, nil
	})
	if err != nil {
		return nil, err
	}
	return rec, a.audit(k, who, "register static", Operator{By: r.Header.Get("Muster-By")}, nativewire.StaticDetail(before, rec.Reported()))
}
