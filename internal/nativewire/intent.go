package nativewire

import (
	"time"

	"github.com/muster-go/muster"
)

// Intent is what an operator wants for one instance, as it is kept.
type Intent struct {
	Enabled *bool     `json:"enabled,omitempty" doc:"false takes the instance out of traffic; true lifts that, it never forces; absent: no opinion"`
	Weight  *int      `json:"weight,omitempty" minimum:"0" maximum:"10000" doc:"Replaces the instance's own weight; absent: no opinion"`
	Note    string    `json:"note,omitempty" maxLength:"1024" doc:"Shown beside the instance"`
	By      string    `json:"by,omitempty" maxLength:"1024" doc:"Who wrote it, as far as the server could prove or was told" example:"ann@laptop"`
	Why     string    `json:"why,omitempty" maxLength:"1024" doc:"The reason given" example:"bad disk"`
	Until   time.Time `json:"until,omitzero" doc:"When it ends by itself; absent: never"`
	At      time.Time `json:"at,omitzero" doc:"When it was written"`
	Rev     uint64    `json:"rev,omitempty" doc:"Grows with each write; goes back in If-Match" example:"7"`
}

// Wish is the body of a PUT on an intent: what the writer decides of it.
type Wish struct {
	Enabled *bool     `json:"enabled,omitempty" doc:"false takes the instance out of traffic; true lifts that, it never forces; absent: no opinion"`
	Weight  *int      `json:"weight,omitempty" minimum:"0" maximum:"10000" doc:"Replaces the instance's own weight; absent: no opinion"`
	Note    string    `json:"note,omitempty" maxLength:"1024" doc:"Shown beside the instance"`
	Why     string    `json:"why,omitempty" maxLength:"1024" doc:"The reason" example:"bad disk"`
	Until   time.Time `json:"until,omitzero" doc:"When it ends by itself; absent: never"`
}

// FromWish gives the body that writes it.
func FromWish(it *muster.Intent) Wish {
	return Wish{Enabled: it.Enabled, Weight: it.Weight, Note: it.Note, Why: it.Why, Until: utc(it.Until)}
}

// Intent gives the intent that w asks for.
func (w *Wish) Intent() muster.Intent {
	return muster.Intent{Enabled: w.Enabled, Weight: w.Weight, Note: w.Note, Why: w.Why, Until: w.Until}
}

// FromIntent gives the shape of it; nil stays nil.
func FromIntent(it *muster.Intent) *Intent {
	if it == nil {
		return nil
	}
	w := Intent(*it)
	w.Until, w.At = utc(w.Until), utc(w.At)
	return &w
}

// Intent gives the intent that w describes; nil stays nil.
func (w *Intent) Intent() *muster.Intent {
	if w == nil {
		return nil
	}
	it := muster.Intent(*w)
	return &it
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
