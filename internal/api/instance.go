package api

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/store"
)

// InstancePath is the input of everything about one instance. huma hands path values over decoded.
type InstancePath struct {
	SpacePath
	Service string `path:"service" maxLength:"128" doc:"Service; compared without ASCII case" example:"ORDERS"`
	ID      string `path:"id" maxLength:"256" doc:"Instance ID; percent-encode it, slashes too" example:"10.0.0.7:8080"`
}

func (k *InstancePath) key() (muster.Key, error) {
	out := muster.Key{Namespace: k.Namespace, Service: k.Service, ID: idOf(k.ID)}
	return out, checkKey(out)
}

// Operator says who acts, and why.
type Operator struct {
	By  string `header:"Muster-By" maxLength:"256" doc:"Who you say you are; goes into the intent and the audit as claimed" example:"ann@laptop"`
	Why string `query:"why" maxLength:"1024" doc:"The reason, for the audit; of an intent by default its own"`
}

// routeInstance adds registering, reading, overriding and removing one instance.
func (a *API) routeInstance(api huma.API) {
	put := huma.Operation{
		OperationID: "register", Method: http.MethodPut, Path: pathInstance, Tags: []string{"register"}, Responses: problems(),
		Summary: "Register an instance, or change it",
		Description: "Keeps it listed for ttl, and for ttl again with each heartbeat or PUT. The last owner to register takes the key over. " +
			"With static: an operator's act, which keeps it listed without heartbeats until it is deregistered; with a lease nothing can be registered at its key meanwhile (409).",
		Parameters:  pathParams(pathInstance),
		RequestBody: body(api, reflect.TypeFor[nativewire.Registration]()),
	}
	put.Responses["200"] = answer(api, reflect.TypeFor[nativewire.Lease](), "The lease")
	a.byHand(api, put, inside, a.register)
	add(a, api, huma.Operation{
		OperationID: "get-instance", Method: http.MethodGet, Path: pathInstance, Tags: []string{"find"},
		Summary: "One instance, and whether it may get traffic", Responses: problems(),
	}, to(access.Read), a.getInstance)
	add(a, api, huma.Operation{
		OperationID: "deregister", Method: http.MethodDelete, Path: pathInstance, Tags: []string{"register"},
		Summary: "Take an instance off the list", Responses: problems(), DefaultStatus: http.StatusNoContent,
		Description: "With owner: only if that owner holds it. Without: an operator's act, which is audited.",
	}, inside, a.deregister)
	add(a, api, huma.Operation{
		OperationID: "set-override", Method: http.MethodPut, Path: pathOverride, Tags: []string{"govern"},
		Summary: "Override an instance's status", Responses: problems(), DefaultStatus: http.StatusNoContent,
		Description: "Lives with the lease, as Eureka's does. To take an instance out of traffic for good, write an intent.",
	}, to(access.Operate), a.setOverride)
	add(a, api, huma.Operation{
		OperationID: "delete-override", Method: http.MethodDelete, Path: pathOverride, Tags: []string{"govern"},
		Summary: "Remove a status override", Responses: problems(), DefaultStatus: http.StatusNoContent,
	}, to(access.Operate), a.deleteOverride)
}

// register serves PUT on an instance.
func (a *API) register(w http.ResponseWriter, r *http.Request, who *access.Principal) {
	k, err := keyOf(r)
	if err == nil {
		err = mayRegister(who, k)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	var reg nativewire.Registration
	if err := a.readJSON(w, r, &reg); err != nil {
		writeError(w, err)
		return
	}
	rec, err := a.registered(r, who, k, &reg)
	if err != nil {
		writeError(w, err)
		return
	}
	p := a.pieces(w)
	defer p.free()
	p.b = append(p.b, `{"instance":`...)
	if a.watchers.Load() > 0 { // who need the same bytes in a moment; otherwise nobody may ever ask for them
		p.b = append(p.b, fragment(rec)...)
	} else {
		p.b = appendRecord(p.b, rec)
	}
	p.b = append(append(append(p.b, `,"ttl":"`...), rec.TTL.String()...), `","handle":"`...)
	handle, _ := a.seal.close(rec.Handle).MarshalText()
	p.b = append(append(p.b, handle...), "\"}\n"...)
	w.Header().Set("Content-Type", "application/json")
	_ = p.flush(true) // the owner may be gone; its next heartbeat asks by name
}

// registered does what a registration asks for, if the principal may.
func (a *API) registered(r *http.Request, who *access.Principal, k muster.Key, reg *nativewire.Registration) (*store.Record, error) {
	act := access.Act{Verb: access.Register, Namespace: k.Namespace, Service: k.Service}
	if reg.Static {
		act.Verb = access.Operate
	}
	if err := who.May(act); err != nil {
		return nil, err
	}
	if reg.Static {
		return a.place(r, who, k, reg)
	}
	return a.put(k, reg, who.Payer(r))
}

// put registers, changes or simply renews; a payer is charged for what is new.
func (a *API) put(k muster.Key, reg *nativewire.Registration, payer string) (*store.Record, error) {
	if len(reg.Owner) > 128 || !utf8.ValidString(reg.Owner) {
		return nil, invalid("owner has %d bytes, at most 128 of UTF-8 are allowed", len(reg.Owner))
	}
	if reg.Owner == "" {
		reg.Owner = randomOwner()
	}
	if reg.TTL < 0 {
		return nil, invalid("ttl %v is below zero", time.Duration(reg.TTL))
	}
	ttl := min(max(time.Duration(reg.TTL), MinTTL), store.MaxTTL)
	if reg.TTL == 0 {
		ttl = DefaultTTL
	}
	in, err := reg.Instance(k)
	if err != nil {
		return nil, err
	}
	kept := false
	rec, err := a.store.Update(k, func(old *store.Record) (*store.Record, error) {
		if old == nil {
			return &store.Record{Instance: in, TTL: ttl, Payer: payer}, nil
		}
		if err := old.Yields(k, false); err != nil {
			return nil, err
		}
		if kept = old.TTL == ttl && old.Instance.Owner == in.Owner && says(old.Reported(), in); kept {
			return old, nil
		}
		in.Override = old.Instance.Override // it lives as long as somebody holds the key
		return &store.Record{Instance: in, TTL: ttl, Payer: payer}, nil
	})
	if err != nil || !kept {
		return rec, err
	}
	if a.store.Renew(k, in.Owner) == nil {
		return rec, nil
	}
	// It ended between the two.
	return a.store.Update(k, func(old *store.Record) (*store.Record, error) {
		return &store.Record{Instance: in, TTL: ttl, Payer: payer}, old.Yields(k, false)
	})
}

// says reports whether two instances with one key say the same of themselves.
func says(a, b *muster.Instance) bool {
	return a.Service == b.Service && a.Status == b.Status && a.Zone == b.Zone && a.Version == b.Version && a.Tier == b.Tier &&
		(a.Weight == nil) == (b.Weight == nil) && (a.Weight == nil || *a.Weight == *b.Weight) &&
		a.Started.Equal(b.Started) && slices.Equal(a.Endpoints, b.Endpoints) && maps.Equal(a.Metadata, b.Metadata)
}

func (a *API) getInstance(_ context.Context, in *struct {
	InstancePath
	Condition
}) (*struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *nativewire.Instance
}, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	rec := a.store.Get(k)
	if rec == nil {
		return nil, fail(notFound(k))
	}
	out := new(struct {
		Status int
		ETag   string `header:"ETag"`
		Body   *nativewire.Instance
	})
	out.Status, out.ETag = http.StatusOK, `"`+revision(a.store.Epoch(), rec.Seq)+`"`
	if in.IfNoneMatch == out.ETag {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = new(nativewire.FromInstance(rec.Instance))
	return out, nil
}

// deregister is its owner's matter with an owner, and an operator's without.
func (a *API) deregister(ctx context.Context, in *struct {
	InstancePath
	Operator
	Owner string `query:"owner" maxLength:"128" doc:"The owner that registered it; absent: an operator's act"`
}) (*struct{}, error) {
	k, err := in.key()
	if err != nil {
		return nil, fail(err)
	}
	act := access.Act{Verb: access.Register, Namespace: k.Namespace, Service: k.Service}
	operators := in.Owner == "" || a.store.Get(k).Lasting() // a static instance's owner is nobody who runs
	if operators {
		act.Verb = access.Operate
	}
	who := whoAsks(ctx)
	if err := who.May(act); err != nil {
		return nil, fail(err)
	}
	if operators {
		if err := a.audit(k, who, "deregister", in.Operator, ""); err != nil {
			return nil, fail(err)
		}
	}
	_, err = a.store.Update(k, func(old *store.Record) (*store.Record, error) {
		switch {
		case old == nil:
			return nil, notFound(k)
		case in.Owner != "" && old.Instance.Owner != in.Owner, old.Static && !operators:
			return nil, heldByAnother(k)
		}
		return nil, nil
	})
	if err != nil {
		return nil, fail(err)
	}
	return nil, nil
}
