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
	Then    *Intent   `json:"then,omitempty" doc:"What it gives way to at until: the intent without an end that stood when it was written; absent: nothing"`
}

// Wish is the body of a PUT on an intent: what the writer decides of it.
type Wish struct {
	Enabled *bool     `json:"enabled,omitempty" doc:"false takes the instance out of traffic; true lifts that, it never forces; absent: no opinion"`
	Weight  *int      `json:"weight,omitempty" minimum:"0" maximum:"10000" doc:"Replaces the instance's own weight; absent: no opinion"`
	Note    string    `json:"note,omitempty" maxLength:"1024" doc:"Shown beside the instance"`
	Why     string    `json:"why,omitempty" maxLength:"1024" doc:"The reason" example:"bad disk"`
	Until   time.Time `json:"until,omitzero" doc:"When it ends by itself; absent: never"`
	Then    *Wish     `json:"then,omitempty" doc:"What it gives way to at until; it has no end itself. Absent: the intent without an end that stands now, or that the one with an end lies over; {}: nothing"`
}

// FromWish gives the body that writes it.
func FromWish(it *muster.Intent) Wish {
	w := Wish{Enabled: it.Enabled, Weight: it.Weight, Note: it.Note, Why: it.Why, Until: utc(it.Until)}
	if it.Then != nil {
		w.Then = new(FromWish(it.Then))
	}
	return w
}

// Intent gives the intent that w asks for.
func (w *Wish) Intent() muster.Intent {
	it := muster.Intent{Enabled: w.Enabled, Weight: w.Weight, Note: w.Note, Why: w.Why, Until: w.Until}
	if w.Then != nil {
		it.Then = new(w.Then.Intent())
	}
	return it
}

// FromIntent gives the shape of it; nil stays nil.
func FromIntent(it *muster.Intent) *Intent {
	if it == nil {
		return nil
	}
	return &Intent{
		Enabled: it.Enabled, Weight: it.Weight, Note: it.Note, By: it.By, Why: it.Why,
		Until: utc(it.Until), At: utc(it.At), Rev: it.Rev, Then: FromIntent(it.Then),
	}
}

// Intent gives the intent that w describes; nil stays nil.
func (w *Intent) Intent() *muster.Intent {
	if w == nil {
		return nil
	}
	return &muster.Intent{
		Enabled: w.Enabled, Weight: w.Weight, Note: w.Note, By: w.By, Why: w.Why,
		Until: w.Until, At: w.At, Rev: w.Rev, Then: w.Then.Intent(),
	}
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
