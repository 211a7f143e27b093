package httprpc

import "context"

// wishes is what a context says of the calls made with it.
type wishes struct {
	key   string // Call.Key
	hedge bool   // Call.Hedge
}

type wishesKey struct{}

// WithKey returns a context whose calls are for key, a customer's number for instance: under [muster.Maglev] calls with the
// same key go to the same instance as long as they can, from every process. Other policies do not look at it. "" is no key.
func WithKey(ctx context.Context, key string) context.Context {
	w := wishesOf(ctx)
	w.key = key
	return context.WithValue(ctx, wishesKey{}, w)
}

// WithHedge returns a context whose calls may be hedged: when an attempt takes longer than 95 of 100 did in the last minute,
// the same request is sent to a second instance beside it, and the first answer counts. Both instances may carry it out, so
// only requests are hedged that [Transport] would repeat. Second attempts are paid out of the budget of repeated ones.
func WithHedge(ctx context.Context) context.Context {
	w := wishesOf(ctx)
	w.hedge = true
	return context.WithValue(ctx, wishesKey{}, w)
}

func wishesOf(ctx context.Context) wishes {
	w, _ := ctx.Value(wishesKey{}).(wishes)
	return w
}
