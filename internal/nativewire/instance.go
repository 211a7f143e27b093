package nativewire

import (
	"time"

	"github.com/muster-go/muster"
)

// Instance is one running copy of a service as the API shows it.
type Instance struct {
	Namespace string `json:"namespace" doc:"Environment or tenant" example:"default"`
	Service   string `json:"service" doc:"Service, as it was written; compared without ASCII case" example:"ORDERS"`
	ID        string `json:"id" doc:"Unique within the service; compared exactly" example:"10.0.0.7:8080"`
	Reported
	Owner      string     `json:"owner,omitempty" doc:"Random name of the registration that holds the key" example:"b6f1c2d3e4a59788"`
	Registered time.Time  `json:"registered,omitzero" doc:"When this lease began"`
	Static     bool       `json:"static,omitempty" doc:"It has no lease: it stays until an operator deregisters it, alive or not"`
	Late       time.Time  `json:"late,omitzero" doc:"Since when its heartbeats are missing; absent: they are not, or it was not asked for with ?late=true"`
	Override   string     `json:"override,omitempty" doc:"The server's own status override; absent: none" example:"out_of_service"`
	Intent     *Intent    `json:"intent,omitempty" doc:"What an operator wants; absent: nothing"`
	Effective  *Effective `json:"effective,omitempty" doc:"Whether it may get traffic, and why"`
}

// Reported is what an instance says of itself when it registers.
type Reported struct {
	Endpoints []Endpoint        `json:"endpoints" minItems:"1" maxItems:"16" doc:"How to reach it, best first" nullable:"false"`
	Status    string            `json:"status,omitempty" enum:"unknown,starting,up,out_of_service,down" doc:"As it reports itself; absent on registration: up" example:"up"`
	Zone      string            `json:"zone,omitempty" maxLength:"128" doc:"Placement label" example:"eu-1a"`
	Version   string            `json:"version,omitempty" maxLength:"128" doc:"Version of the software" example:"1.4.2"`
	Tier      int               `json:"tier,omitempty" minimum:"0" maximum:"100" doc:"0 is used first, higher ones when lower ones are short"`
	Weight    *int              `json:"weight,omitempty" minimum:"0" maximum:"10000" doc:"Share of traffic relative to the others; absent: 10" example:"10"`
	Metadata  map[string]string `json:"metadata,omitempty" doc:"Free labels, at most 128 and 16 KiB; keys under muster. are reserved"`
	Started   time.Time         `json:"started,omitzero" doc:"When the process started, as it says"`
}

// Endpoint is one way to reach an instance.
type Endpoint struct {
	Scheme  string `json:"scheme" maxLength:"32" doc:"Protocol, lower case" example:"http"`
	Address string `json:"address" maxLength:"300" doc:"host:port, IPv6 in brackets" example:"10.0.0.7:8080"`
}

// Effective is the merged answer to "may it get traffic".
type Effective struct {
	Status  string `json:"status" doc:"up only if it may get traffic" example:"up"`
	Weight  int    `json:"weight" doc:"Share relative to the others; meaningful when up" example:"10"`
	Because string `json:"because,omitempty" doc:"Why, in words for an operator" example:"disabled by ann@ops: bad disk"`
}

// Registration is the body of a PUT on an instance; namespace, service and id are in the path.
type Registration struct {
	Reported
	Owner  string   `json:"owner,omitempty" maxLength:"128" doc:"Random name of the registration; the last one to register takes the key over. Absent: the server makes one" example:"b6f1c2d3e4a59788"`
	Static bool     `json:"static,omitempty" doc:"Keep it listed without heartbeats, until it is deregistered; needs the right operate, and no ttl and no owner"`
	TTL    Duration `json:"ttl,omitempty" doc:"How long the instance stays listed without a heartbeat; absent: 30s" example:"30s"`
}

// Lease answers a registration.
type Lease struct {
	Instance Instance `json:"instance" doc:"As readers will see it"`
	TTL      Duration `json:"ttl" doc:"As granted" example:"30s"`
	Handle   Handle   `json:"handle" doc:"Names the lease in batched heartbeats; keep it to yourself" example:"00c5a1b2c3d4e5f6"`
}

// Override is the body of a PUT on an instance's override.
type Override struct {
	Status string `json:"status" enum:"starting,up,out_of_service,down" doc:"What readers shall see in place of the reported status" example:"out_of_service"`
}

// FromInstance gives the shape of in, effective answer included.
func FromInstance(in *muster.Instance) Instance {
	out := Instance{
		Namespace:  in.Namespace,
		Service:    in.Service,
		ID:         in.ID,
		Reported:   reported(in),
		Owner:      in.Owner,
		Registered: in.Registered.UTC(),
		Static:     in.Static,
		Intent:     FromIntent(in.Intent),
	}
	if in.Registered.IsZero() {
		out.Registered = time.Time{}
	}
	if in.Override != muster.Unknown {
		out.Override = in.Override.String()
	}
	e := in.Effective()
	out.Effective = &Effective{Status: e.Status.String(), Weight: e.Weight, Because: e.Because}
	return out
}

// FromRegistration gives the body with which in is registered for ttl.
func FromRegistration(in *muster.Instance, ttl time.Duration) Registration {
	return Registration{Reported: reported(in), Owner: in.Owner, TTL: Duration(ttl)}
}

func reported(in *muster.Instance) Reported {
	r := Reported{
		Endpoints: make([]Endpoint, len(in.Endpoints)),
		Status:    in.Status.String(),
		Zone:      in.Zone,
		Version:   in.Version,
		Tier:      in.Tier,
		Weight:    in.Weight,
		Metadata:  in.Metadata,
	}
	for i, e := range in.Endpoints {
		r.Endpoints[i] = Endpoint(e)
	}
	if !in.Started.IsZero() {
		r.Started = in.Started.UTC()
	}
	return r
}

// Instance gives the instance that w describes. It shares w's weight and metadata.
//
// Errors: Invalid.
func (w *Instance) Instance() (*muster.Instance, error) {
	in, err := w.Reported.instance(muster.Unknown)
	if err != nil {
		return nil, err
	}
	in.Namespace, in.Service, in.ID = w.Namespace, w.Service, w.ID
	in.Owner, in.Registered, in.Static, in.Intent = w.Owner, w.Registered, w.Static, w.Intent.Intent()
	if in.Override, err = muster.ParseStatus(w.Override); err != nil {
		return nil, err
	}
	return in, in.Validate()
}

// Instance gives the instance that registers under k; one that states no status is Up. It shares r's weight and metadata.
//
// Errors: Invalid.
func (r *Registration) Instance(k muster.Key) (*muster.Instance, error) {
	in, err := r.Reported.instance(muster.Up)
	if err != nil {
		return nil, err
	}
	in.Namespace, in.Service, in.ID, in.Owner = k.Namespace, k.Service, k.ID, r.Owner
	return in, in.Validate()
}

func (r *Reported) instance(absent muster.Status) (*muster.Instance, error) {
	status := absent
	if r.Status != "" {
		var err error
		if status, err = muster.ParseStatus(r.Status); err != nil {
			return nil, err
		}
	}
	in := &muster.Instance{
		Endpoints: make([]muster.Endpoint, len(r.Endpoints)),
		Status:    status,
		Zone:      r.Zone,
		Version:   r.Version,
		Tier:      r.Tier,
		Weight:    r.Weight,
		Metadata:  r.Metadata,
		Started:   r.Started,
	}
	for i, e := range r.Endpoints {
		in.Endpoints[i] = muster.Endpoint{Scheme: muster.Fold(e.Scheme), Address: e.Address}
	}
	return in, nil
}
