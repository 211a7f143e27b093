package nativewire

import (
	"time"

	"github.com/muster-go/muster"
)

// AuditRecord is one change that an operator made.
type AuditRecord struct {
	ID        uint64    `json:"id" doc:"Grows; what undo names" example:"42"`
	At        time.Time `json:"at" doc:"When"`
	Op        string    `json:"op" doc:"What was done" example:"intent"`
	Namespace string    `json:"namespace"`
	Service   string    `json:"service"`
	Instance  string    `json:"instance,omitempty" doc:"Instance ID"`
	Proven    string    `json:"proven,omitempty" doc:"Who, if the server could prove it"`
	Claimed   string    `json:"claimed,omitempty" doc:"Who, as the caller said (header Muster-By)" example:"ann@laptop"`
	Why       string    `json:"why,omitempty"`
	Before    *Intent   `json:"before,omitempty" doc:"The intent before; absent: none"`
	After     *Intent   `json:"after,omitempty" doc:"The intent after; absent: none"`
	Detail    string    `json:"detail,omitempty" doc:"What cannot be said as an intent"`
}

// FromAudit gives the shape of a record.
func FromAudit(a muster.AuditRecord) AuditRecord {
	return AuditRecord{
		ID: a.ID, At: utc(a.At), Op: a.Op,
		Namespace: a.Key.Namespace, Service: a.Key.Service, Instance: a.Key.ID,
		Proven: a.Proven, Claimed: a.Claimed, Why: a.Why,
		Before: FromIntent(a.Before), After: FromIntent(a.After), Detail: a.Detail,
	}
}

// AuditRecord gives the record that w describes.
func (w *AuditRecord) AuditRecord() muster.AuditRecord {
	return muster.AuditRecord{
		ID: w.ID, At: w.At, Op: w.Op,
		Key:    muster.Key{Namespace: w.Namespace, Service: w.Service, ID: w.Instance},
		Proven: w.Proven, Claimed: w.Claimed, Why: w.Why,
		Before: w.Before.Intent(), After: w.After.Intent(), Detail: w.Detail,
	}
}
