package muster

import (
	"context"
	"fmt"
	"time"
)

// Intent is what an operator wants for one instance. It is a record of its own, beside the instance: registering again does
// not undo it, and an instance that goes and comes back finds it waiting. A nil field is no opinion.
type Intent struct {
	Enabled *bool     // false takes the instance out of traffic; true lifts that, it never forces
	Weight  *int      // replaces the instance's own weight, 0..10000
	Note    string    // shown beside the instance
	By      string    // who wrote it, as far as the back end could prove or was told
	Why     string    // the reason given
	Until   time.Time // when it ends by itself; zero means never
	At      time.Time // when it was written
	Rev     uint64    // grows with each write; guards the next one

	// Then is what it gives way to at Until: the intent without an end that stood when it was written; nil is nothing. The back
	// end sets it, by [Intent.Beneath]. A writer leaves it nil, or says what else is to stand then, as an undo must; an Empty one
	// says: nothing.
	Then *Intent
}

// Empty reports whether the intent asks for nothing: no switch, no weight and no note.
func (it *Intent) Empty() bool {
	return it == nil || it.Enabled == nil && it.Weight == nil && it.Note == ""
}

// Validate says what is wrong with an intent that is about to be written.
//
// Errors: Invalid.
func (it *Intent) Validate() error {
	if it.Weight != nil && (*it.Weight < 0 || *it.Weight > MaxWeight) {
		return invalid("weight %d is outside 0..%d", *it.Weight, MaxWeight)
	}
	for _, text := range [...]struct{ what, s string }{{"note", it.Note}, {"by", it.By}, {"why", it.Why}} {
		if err := checkText(text.what, text.s, MaxText); err != nil {
			return err
		}
	}
	if err := checkTime("until", it.Until); err != nil || it.Then == nil {
		return err
	}
	if it.Then.Then != nil || !it.Then.Until.IsZero() {
		return invalid("then has an end itself: what an intent gives way to stands for good")
	}
	return it.Then.Validate()
}

// Beneath is what the intent gives way to at its Until when it is written in place of old (nil: there is none): the rule for
// Then, for back ends that honour Until. One without an end lies over nothing, for it replaces all. One with an end lies over
// old, or over what old itself gives way to if that has an end; the writer's own Then goes before both.
func (it *Intent) Beneath(old *Intent) *Intent {
	if it.Until.IsZero() {
		return nil
	}
	below := old
	if old != nil && !old.Until.IsZero() {
		below = old.Then
	}
	if below.Empty() {
		below = nil
	}
	switch {
	case it.Then == nil || below != nil && it.Then.wants(below):
	case it.Then.Empty():
		return nil
	default:
		return &Intent{Enabled: it.Then.Enabled, Weight: it.Then.Weight, Note: it.Then.Note, Why: it.Then.Why, By: it.By, At: it.At}
	}
	return below
}

// wants reports whether both ask for the same for the same reason, whoever did.
func (it *Intent) wants(other *Intent) bool {
	return equal(it.Enabled, other.Enabled) && equal(it.Weight, other.Weight) && it.Note == other.Note && it.Why == other.Why
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Effective is the one answer to "may this instance get traffic, and how much of it".
type Effective struct {
	Status  Status // Up only if it may get traffic
	Weight  int    // share relative to the others; meaningful when Up
	Because string // why, in words for an operator; "" when it is simply up with its own weight
}

// BecauseKey is the metadata in which whoever reports an instance's Status says why it is not Up, in words for an operator.
const BecauseKey = "muster.because"

// Up reports whether the instance may get traffic.
func (e Effective) Up() bool { return e.Status == Up }

// Effective merges what the instance reports, the back end's override and the operator's intent. The first rule that applies
// wins: reported neither Up nor OutOfService → as reported; Enabled=false → OutOfService; the back end's override; as
// reported. Weight is the intent's, else the instance's; an Up instance with weight 0 or less is OutOfService.
func (in *Instance) Effective() Effective {
	e := Effective{Status: in.Status, Weight: in.ownWeight()}
	if in.Intent != nil && in.Intent.Weight != nil {
		e.Weight = *in.Intent.Weight
		e.Because = in.weighed()
	}
	switch {
	case in.Status != Up && in.Status != OutOfService:
		e.Because = in.reports()
	case in.Intent != nil && in.Intent.Enabled != nil && !*in.Intent.Enabled:
		e.Status = OutOfService
		e.Because = in.Intent.because("disabled")
	case in.Override != Unknown && in.Override != in.Status:
		e.Status = in.Override
		e.Because = "status override " + in.Override.String()
	case in.Status == OutOfService:
		e.Because = in.reports()
	}
	if e.Status == Up && e.Weight <= 0 {
		e.Status, e.Because = OutOfService, in.weighed()
	}
	return e
}

// capacity is the weight that the instance would have if it were well: more than 0 for one that is down by itself, 0 for one
// that is starting or was taken out of traffic on purpose.
func (in *Instance) capacity() int {
	up, weight := in.effectively()
	if up || in.Status == Down || in.Status == Unknown {
		return weight
	}
	return 0
}

// effectively reports whether the instance may get traffic and with what weight, as [Instance.Effective] does, without
// building the reason.
func (in *Instance) effectively() (up bool, weight int) {
	weight = in.ownWeight()
	if in.Intent != nil && in.Intent.Weight != nil {
		weight = *in.Intent.Weight
	}
	status := in.Status
	switch {
	case status != Up && status != OutOfService:
	case in.Intent != nil && in.Intent.Enabled != nil && !*in.Intent.Enabled:
		return false, weight
	case in.Override != Unknown:
		status = in.Override
	}
	return status == Up && weight > 0, weight
}

// reports says what the instance says of itself, with its reason if it gives one.
func (in *Instance) reports() string {
	because := "reports " + in.Status.String()
	if why := in.Metadata[BecauseKey]; why != "" {
		because += ": " + why
	}
	return because
}

// weighed says where the weight comes from.
func (in *Instance) weighed() string {
	if in.Intent != nil && in.Intent.Weight != nil {
		return in.Intent.because(fmt.Sprintf("weight %d", *in.Intent.Weight))
	}
	return fmt.Sprintf("weight %d", in.ownWeight())
}

func (in *Instance) ownWeight() int {
	if in.Weight == nil {
		return DefaultWeight
	}
	return *in.Weight
}

func (it *Intent) because(what string) string {
	if it.By != "" {
		what += " by " + it.By
	}
	if it.Why != "" {
		what += ": " + it.Why
	}
	if !it.Until.IsZero() {
		what += ", until " + it.Until.UTC().Format(time.RFC3339)
	}
	return what
}

// IntentStore is implemented by drivers whose back end can keep intents.
type IntentStore interface {
	// Intent returns the intent for k, or nil when there is none. The instance need not be registered.
	//
	// Errors: Unavailable, Denied.
	Intent(ctx context.Context, k Key) (*Intent, error)
	// SetIntent writes it in place of the intent whose Rev is it.Rev (0: there is none) and returns it as stored, with Rev,
	// At, By and Then set. An [Intent.Empty] one removes the record. It returns when the write is durable as Terms promises. Where
	// they say Expires, the back end replaces it at Until by its Then, with a new Rev, or removes it. What the audit gives as the
	// reason is that of [WithWhy], else the intent's.
	//
	// Errors: Conflict (the stored Rev differs; read again), Invalid, Denied, Exhausted, Unavailable.
	SetIntent(ctx context.Context, k Key, it Intent) (*Intent, error)
	// Terms says what an intent is worth on this back end, which it may ask.
	Terms() Terms
}

// Terms says honestly how long intents live on a back end and whom they reach.
type Terms struct {
	Durable bool   // survives a restart of the back end and of the instance
	Expires bool   // Until is honoured by the back end itself
	Reaches string // whom: "every client of this server", …
	Lives   string // where and how long, in a sentence
}
