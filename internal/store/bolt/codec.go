package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
)

// record is a store.Record as the file holds it. The intent is not in it: it has a place of its own.
type record struct {
	Namespace  string            `json:"ns"`
	Service    string            `json:"s"`
	ID         string            `json:"id"`
	Endpoints  []string          `json:"ep,omitempty"`
	Status     muster.Status     `json:"st"`
	Override   muster.Status     `json:"ov,omitempty"`
	Zone       string            `json:"z,omitempty"`
	Version    string            `json:"v,omitempty"`
	Tier       int               `json:"t,omitempty"`
	Weight     *int              `json:"w,omitempty"`
	Metadata   map[string]string `json:"m,omitempty"`
	Owner      string            `json:"o,omitempty"`
	Started    time.Time         `json:"up,omitzero"`
	Registered time.Time         `json:"reg,omitzero"`
	Changed    time.Time         `json:"at,omitzero"`
	TTL        time.Duration     `json:"ttl"`
	Interval   time.Duration     `json:"iv,omitempty"`
	Wire       []byte            `json:"wire,omitempty"`
	WireKind   string            `json:"kind,omitempty"`
	Payer      string            `json:"pay,omitempty"`
}

// intent is a muster.Intent as the file holds it, with its key as it was written.
type intent struct {
	Namespace string    `json:"ns,omitempty"`
	Service   string    `json:"s,omitempty"`
	ID        string    `json:"id,omitempty"`
	Enabled   *bool     `json:"on,omitempty"`
	Weight    *int      `json:"w,omitempty"`
	Note      string    `json:"note,omitempty"`
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
	Until     time.Time `json:"until,omitzero"`
	At        time.Time `json:"at,omitzero"`
	Rev       uint64    `json:"rev"`
	Then      *intent   `json:"then,omitempty"` // without a key
}

// audit is a muster.AuditRecord as the file holds it.
type audit struct {
	At        time.Time `json:"at"`
	Op        string    `json:"op"`
	Namespace string    `json:"ns"`
	Service   string    `json:"s"`
	ID        string    `json:"id"`
	Proven    string    `json:"proven,omitempty"`
	Claimed   string    `json:"claimed,omitempty"`
	Why       string    `json:"why,omitempty"`
	Before    *intent   `json:"before,omitempty"`
	After     *intent   `json:"after,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

// token is a store.Token as the file holds it.
type token struct {
	Name        string    `json:"name"`
	Hash        []byte    `json:"sha256,omitempty"`
	Certificate string    `json:"cert,omitempty"`
	Allow       []string  `json:"allow"`
	Namespace   string    `json:"ns,omitempty"`
	By          string    `json:"by,omitempty"`
	Why         string    `json:"why,omitempty"`
	Created     time.Time `json:"at,omitzero"`
	Expires     time.Time `json:"until,omitzero"`
}

func fromRecord(r *store.Record) *record {
	in := r.Reported()
	out := &record{
		Namespace: in.Namespace, Service: in.Service, ID: in.ID,
		Status: in.Status, Override: in.Override, Zone: in.Zone, Version: in.Version, Tier: in.Tier, Weight: in.Weight,
		Metadata: in.Metadata, Owner: in.Owner, Started: in.Started, Registered: in.Registered, Changed: r.Changed,
		TTL: r.TTL, Interval: r.Interval, Wire: r.Wire, WireKind: r.WireKind, Payer: r.Payer,
	}
	for _, e := range in.Endpoints {
		out.Endpoints = append(out.Endpoints, e.String())
	}
	return out
}

func (r *record) store(static bool) *store.Record {
	in := &muster.Instance{
		Namespace: r.Namespace, Service: r.Service, ID: r.ID,
		Status: r.Status, Override: r.Override, Zone: r.Zone, Version: r.Version, Tier: r.Tier, Weight: r.Weight,
		Metadata: r.Metadata, Owner: r.Owner, Started: r.Started, Registered: r.Registered,
	}
	for _, e := range r.Endpoints {
		scheme, address, _ := strings.Cut(e, "://")
		in.Endpoints = append(in.Endpoints, muster.Endpoint{Scheme: scheme, Address: address})
	}
	return &store.Record{
		Instance: in, TTL: r.TTL, Interval: r.Interval, Wire: r.Wire, WireKind: r.WireKind, Payer: r.Payer, Static: static, Changed: r.Changed,
	}
}

func fromIntent(key muster.Key, it *muster.Intent) *intent {
	if it == nil {
		return nil
	}
	return &intent{
		Namespace: key.Namespace, Service: key.Service, ID: key.ID,
		Enabled: it.Enabled, Weight: it.Weight, Note: it.Note, By: it.By, Why: it.Why, Until: it.Until, At: it.At, Rev: it.Rev,
		Then: fromIntent(muster.Key{}, it.Then),
	}
}

func (i *intent) muster() *muster.Intent {
	if i == nil {
		return nil
	}
	return &muster.Intent{
		Enabled: i.Enabled, Weight: i.Weight, Note: i.Note, By: i.By, Why: i.Why, Until: i.Until, At: i.At, Rev: i.Rev,
		Then: i.Then.muster(),
	}
}

func (i *intent) key() muster.Key {
	return muster.Key{Namespace: i.Namespace, Service: i.Service, ID: i.ID}
}

func fromAudit(a *muster.AuditRecord) *audit {
	return &audit{
		At: a.At, Op: a.Op, Namespace: a.Key.Namespace, Service: a.Key.Service, ID: a.Key.ID,
		Proven: a.Proven, Claimed: a.Claimed, Why: a.Why, Detail: a.Detail,
		Before: fromIntent(muster.Key{}, a.Before), After: fromIntent(muster.Key{}, a.After),
	}
}

func (a *audit) muster(id uint64) muster.AuditRecord {
	return muster.AuditRecord{
		ID: id, At: a.At, Op: a.Op, Key: muster.Key{Namespace: a.Namespace, Service: a.Service, ID: a.ID},
		Proven: a.Proven, Claimed: a.Claimed, Why: a.Why, Detail: a.Detail, Before: a.Before.muster(), After: a.After.muster(),
	}
}

func fromToken(t *store.Token) *token {
	out := &token{
		Name: t.Name, Certificate: t.Certificate, Allow: t.Allow, Namespace: t.Namespace, By: t.By, Why: t.Why, Created: t.Created, Expires: t.Expires,
	}
	if t.Hash != [32]byte{} {
		out.Hash = t.Hash[:]
	}
	return out
}

func (t *token) store() *store.Token {
	out := &store.Token{
		Name: t.Name, Certificate: t.Certificate, Allow: t.Allow, Namespace: t.Namespace, By: t.By, Why: t.Why, Created: t.Created, Expires: t.Expires,
	}
	copy(out.Hash[:], t.Hash)
	return out
}

// checksum is the CRC-32C of key and value.
func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

// encode returns the bytes of v under key.
func encode(key []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), checksum(key, b)), b...), nil
}

// decode reads what encode wrote.
func decode(key, value []byte, v any) error {
	if err := verify(key, value); err != nil {
		return err
	}
	return json.Unmarshal(value[4:], v)
}

// verify checks the checksum of what encode returned.
func verify(key, value []byte) error {
	if len(value) < 4 {
		return errors.New("too short")
	}
	if want, got := binary.BigEndian.Uint32(value), checksum(key, value[4:]); want != got {
		return fmt.Errorf("checksum is %08x, not %08x", got, want)
	}
	return nil
}

// concerns reports whether an audit record as encode wrote it may be of a namespace and, unless it is "", about a service, without
// decoding it: a reader of one namespace may have to pass millions of another's. Names need no escapes in JSON. What has its fields
// in another order, as a newer muster may write them, is decoded.
func concerns(value []byte, namespace, service string) bool {
	ahead, rest, _ := bytes.Cut(value[4:], []byte(`,"ns":"`))
	was, rest, _ := bytes.Cut(rest, []byte(`"`))
	about, ok := bytes.CutPrefix(rest, []byte(`,"s":"`))
	if !ok || bytes.LastIndexByte(ahead, '{') != 0 { // that of something inside it
		return true
	}
	about, _, _ = bytes.Cut(about, []byte(`"`))
	return muster.EqualFold(string(was), namespace) && (service == "" || muster.EqualFold(string(about), service))
}

func recordKey(service, id string) []byte { return []byte(muster.Fold(service) + "\x00" + id) }

func intentKey(k muster.Key) []byte {
	k = k.Fold()
	return []byte(k.Namespace + "\x00" + k.Service + "\x00" + k.ID)
}

func tokenKey(name string) []byte { return []byte(muster.Fold(name)) }

func auditKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
