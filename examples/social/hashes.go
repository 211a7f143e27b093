package social

import "context"

// Hashes is what the system needs of a Redis server: named hashes of string → string, and four commands on them. A hash or a
// field that was never written is empty. Implementations are safe for concurrent use, and each method is atomic.
type Hashes interface {
	// Get returns a field of a hash, as HGET does. Errors: Unavailable, Timeout.
	Get(ctx context.Context, hash, field string) (value string, ok bool, err error)

	// All returns a hash, as HGETALL does. The map is the caller's. Errors: Unavailable, Timeout.
	All(ctx context.Context, hash string) (map[string]string, error)

	// Add sets every field if none of them exists. Otherwise it sets nothing, and returns the first that exists with the value
	// it has. In Redis it is HSETNX for one field, and for several a script. Errors: Unavailable, Timeout.
	Add(ctx context.Context, fields ...Field) (taken *Field, err error)

	// Next adds 1 to the number in a field, or raises it to floor if that is more, and returns it. In Redis it is a script;
	// with floor 0 it is HINCRBY. Errors: Unavailable, Timeout, Internal (the field holds no number).
	Next(ctx context.Context, hash, field string, floor int64) (int64, error)
}

// Field is a field of a hash, and its value.
type Field struct {
	Hash  string `json:"hash"`
	Name  string `json:"name"`
	Value string `json:"value"`
}
