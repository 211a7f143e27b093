package remote

import (
	"maps"
	"slices"

	"github.com/muster-go/muster"
)

// equal reports whether two instances say the same.
func equal(a, b *muster.Instance) bool {
	return a.Key() == b.Key() && a.Status == b.Status && a.Override == b.Override && a.Owner == b.Owner && a.Static == b.Static &&
		a.Zone == b.Zone && a.Version == b.Version && a.Tier == b.Tier && equalPtr(a.Weight, b.Weight) &&
		a.Started.Equal(b.Started) && a.Registered.Equal(b.Registered) &&
		slices.Equal(a.Endpoints, b.Endpoints) && maps.Equal(a.Metadata, b.Metadata) && equalIntent(a.Intent, b.Intent)
}

func equalIntent(a, b *muster.Intent) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Rev == b.Rev && a.At.Equal(b.At) && a.Until.Equal(b.Until) && a.Note == b.Note && a.By == b.By && a.Why == b.Why &&
		equalPtr(a.Enabled, b.Enabled) && equalPtr(a.Weight, b.Weight) && equalIntent(a.Then, b.Then)
}

func equalPtr[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
