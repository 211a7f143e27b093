package store

import (
	"maps"
	"unique"

	"github.com/muster-go/muster"
)

// service holds the leases of one service by instance ID.
type service struct {
	space  *space
	name   string // as first written
	fold   string
	seq    uint64 // of its newest change
	leases map[string]*lease
	labels map[string]string // the last metadata written: most instances of a service share theirs
}

// share lets an instance use the strings and labels that others of its service already hold.
func (svc *service) share(in *muster.Instance) {
	if in.Namespace == svc.space.name {
		in.Namespace = svc.space.name
	}
	if in.Service == svc.name {
		in.Service = svc.name
	}
	in.Zone = shared(in.Zone)
	in.Version = shared(in.Version)
	switch {
	case len(in.Metadata) == 0:
		in.Metadata = nil
	case maps.Equal(in.Metadata, svc.labels):
		in.Metadata = svc.labels
	default:
		svc.labels = in.Metadata
	}
}

func shared(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}
