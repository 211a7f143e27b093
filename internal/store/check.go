package store

import (
	"fmt"

	"github.com/muster-go/muster"
)

// check says what is wrong with a record that is about to be stored at key.
func check(key muster.Key, r *Record) error {
	in := r.Instance
	switch {
	case in == nil:
		return invalid("record %v has no instance", key)
	case r.Seq != 0:
		return &muster.Error{Code: muster.Internal, Err: fmt.Errorf("record %v is in the store already; a change needs one made anew or by Next", key)}
	case in.Key().Fold() != key.Fold():
		return invalid("instance %v does not belong at %v", in.Key(), key)
	case r.Static && (r.TTL != 0 || r.Interval != 0):
		return invalid("%v is static, which has no ttl, and names one of %v", key, max(r.TTL, r.Interval))
	case !r.Static && (r.TTL <= 0 || r.TTL > MaxTTL):
		return invalid("ttl %v of %v is not more than 0 and at most %v", r.TTL, key, MaxTTL)
	case len(r.Wire) > MaxWire:
		return invalid("%v carries %d bytes of its protocol's own, at most %d are kept", key, len(r.Wire), MaxWire)
	case len(r.Payer) > maxCredential:
		return invalid("the payer of %v has %d bytes, at most %d are kept", key, len(r.Payer), maxCredential)
	case int(in.Status) > int(muster.Down) || int(in.Override) > int(muster.Down):
		return invalid("%v: %v is not a status", key, max(in.Status, in.Override))
	}
	return checkKey(key)
}

func checkKey(key muster.Key) error {
	if err := muster.CheckNamespace(key.Namespace); err != nil {
		return err
	}
	if err := muster.CheckService(key.Service); err != nil {
		return err
	}
	return muster.CheckID(key.ID)
}

func invalid(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
