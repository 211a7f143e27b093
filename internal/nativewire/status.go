package nativewire

import "time"

// VersionHeader is the header in which every answer names the version of the server; its case is the canonical one. A client
// names its own in User-Agent, as "muster/VERSION (…)".
const VersionHeader = "Muster-Version"

// Status is the state of a server.
type Status struct {
	Version      string            `json:"version,omitempty" doc:"Of the server" example:"0.1.0"`
	Epoch        string            `json:"epoch" doc:"Random name of this life of the store" example:"5f1d3a9c0b7e2"`
	Started      time.Time         `json:"started" doc:"When this life began"`
	Loaded       bool              `json:"loaded" doc:"False: the journal is still being read, everything else is refused"`
	Durable      bool              `json:"durable" doc:"What operators want, and its audit, are in a data file; false: in memory only, gone with the process"`
	Instances    int               `json:"instances" doc:"Registered, over all namespaces"`
	Services     int               `json:"services"`
	Intents      int               `json:"intents" doc:"Kept, for instances that are not registered too"`
	Watchers     int               `json:"watchers" doc:"Watch streams and long polls open now"`
	Journal      string            `json:"journal,omitempty" doc:"Why the journal does not have everything; absent: it does"`
	JournalSince time.Time         `json:"journalsince,omitzero" doc:"Since when"`
	Preserve     bool              `json:"preserve" doc:"There is self-preservation, and it begins when it is needed; false: it is disabled"`
	Preserving   bool              `json:"preserving" doc:"Self-preservation is on somewhere: instances that missed their heartbeats are kept"`
	Why          string            `json:"why,omitempty" doc:"Why self-preservation is on, and what to do"`
	Expected     float64           `json:"expected" doc:"Heartbeats a minute that the owners promised"`
	Seen         float64           `json:"seen" doc:"Heartbeats that came in the last minute"`
	Anonymous    string            `json:"anonymous,omitempty" doc:"What those may who show no token: none, read or all" enum:"none,read,all"`
	Exposed      bool              `json:"exposed,omitempty" doc:"Others than on the server's own machine may do that, without a token"`
	Certificate  *Certificate      `json:"certificate,omitempty" doc:"The server's own; absent: it speaks plain HTTP"`
	Limits       *LimitStatus      `json:"limits,omitempty" doc:"What each client may have; absent: there are none, or you may not read the whole server"`
	Namespaces   []NamespaceStatus `json:"namespaces" nullable:"false"`
}

// Certificate is a server's certificate as new connections get it.
type Certificate struct {
	Names    []string  `json:"names" nullable:"false" doc:"DNS names and IP addresses" example:"[\"registry.example\"]"`
	NotAfter time.Time `json:"notafter" doc:"When it expires"`
	Clients  bool      `json:"clients" doc:"Client certificates are asked for"`
	Trouble  string    `json:"trouble,omitempty" doc:"Why the files on disk cannot be used; the pair from before is kept"`
}

// NamespaceStatus is Status for one namespace.
type NamespaceStatus struct {
	Namespace  string         `json:"namespace" example:"default"`
	Revision   string         `json:"revision" example:"5f1d3a9c0b7e2.1042"`
	Instances  int            `json:"instances"`
	Services   int            `json:"services"`
	Effective  map[string]int `json:"effective" doc:"Instances by effective status; only those up may get traffic"`
	Preserving bool           `json:"preserving" doc:"Self-preservation is on"`
	Why        string         `json:"why,omitempty"`
	Late       int            `json:"late" doc:"Instances that missed their heartbeats"`
	Overdue    int            `json:"overdue" doc:"Of those, the ones that would have expired and are held"`
	Expected   float64        `json:"expected"`
	Seen       float64        `json:"seen"`
	Probes     *ProbeStatus   `json:"probes,omitempty" doc:"What the server's prober does here; absent: nothing"`
}

// ProbeStatus is what a server's prober does in one namespace.
type ProbeStatus struct {
	Instances int      `json:"instances" doc:"That are asked"`
	Down      int      `json:"down" doc:"Of those, judged down"`
	Refused   int      `json:"refused,omitempty" doc:"Of those, that are not asked because their address is loopback, link-local or a cloud's metadata service"`
	Held      []string `json:"held,omitempty" doc:"Services of which more than half fail at once, so that nobody is judged"`
}
