package store

import (
	"errors"
	"time"

	"github.com/muster-go/muster"
)

// plan is what one transaction will do.
type plan struct {
	scribe  *scribe
	now     time.Time
	acts    []*act
	writes  []Act                 // one for each of acts
	intents map[muster.Key]wanted // what will be there, by folded key
	room    int                   // intents that may still be added
	tokens  tokens                // what will be there
	records map[muster.Key]bool   // static records that will change, by folded key
}

// plan resolves acts one after the other, each against what those before it leave, and answers those that need no writing.
func (w *scribe) plan(acts []*act) *plan {
	s := w.store
	p := &plan{scribe: w, now: time.Now().Round(0), intents: map[muster.Key]wanted{}, room: MaxIntents - s.intents.size(), records: map[muster.Key]bool{}}
	p.tokens.list.Store(s.tokens.list.Load())
	for _, a := range acts {
		write, err := p.resolve(a)
		switch {
		case err == errIdle:
			a.answer <- answer{intent: a.intent}
			continue
		case err != nil:
			a.answer <- answer{err: err}
			continue
		}
		if write.Audit.ID != 0 {
			w.newest++
		}
		p.acts, p.writes = append(p.acts, a), append(p.writes, write)
	}
	return p
}

// resolve says what to write for one act, and notes what that leaves to those after it.
func (p *plan) resolve(a *act) (Act, error) {
	id := p.scribe.newest + 1
	switch {
	case a.intent != nil:
		return p.resolveIntent(a, id)
	case a.token != nil || a.revoke != "":
		write, err := a.resolveToken(p.tokens.all(), id, p.now)
		if err == nil && write.Token != nil {
			p.tokens.set(write.Token.Name, write.Token)
		} else if err == nil {
			p.tokens.set(write.Revoke, nil)
		}
		return write, err
	case a.lasting != nil:
		if p.records[a.key.Fold()] {
			return Act{}, errOvertaken
		}
		if err := a.lasting.reserve(a.key); err != nil {
			return Act{}, err
		}
		p.records[a.key.Fold()] = true
		return a.lasting.write(a.key, p.now), nil
	}
	rec := a.audit
	rec.ID, rec.At = id, p.now
	return Act{Audit: rec}, nil
}

func (p *plan) resolveIntent(a *act, id uint64) (Act, error) {
	key := a.key.Fold()
	planned, ok := p.intents[key]
	current := planned.intent
	if !ok {
		current = p.scribe.store.intents.get(key)
	}
	if a.idle(current) {
		return Act{}, errIdle
	}
	write, err := a.resolve(current, p.room > 0, id, p.now)
	if err != nil {
		return Act{}, err
	}
	p.intents[key] = wanted{a.key, write.Audit.After}
	if current == nil {
		p.room--
	}
	if it := write.Audit.After; it != nil && !it.Until.IsZero() && it.Until.Before(p.scribe.due) {
		p.scribe.due = it.Until
	}
	return write, nil
}

// errIdle says that an act changes nothing.
var errIdle = errors.New("nothing to do")
