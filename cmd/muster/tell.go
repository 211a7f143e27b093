package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/registry/open"
)

// What an act tells about itself.

// show prints each instance before and after, and the share of the traffic that moves.
func (a *act) show(m move, edits []edit, ahead bool) error {
	records := make([]nativewire.AuditRecord, len(edits))
	var names []string
	for i, e := range edits {
		records[i] = e.record
		if e.record.ID == 0 {
			records[i] = a.unwritten(&e)
		}
		names = append(names, e.instance.Key().String())
	}
	if ahead && a.c.structured() && !a.dryRun {
		return nil
	}
	err := a.c.print(printed{
		Value: nativewire.List[nativewire.AuditRecord]{Items: records},
		Names: names,
		Table: func(bool) *table {
			t := newTable(a.c.paint(), "INSTANCE", "BEFORE", "EFFECTIVE", "SHARE", "BECAUSE")
			for i, e := range edits {
				before, after := m.before[i], m.after[i]
				if e.absent {
					t.add(e.instance.ID, wish(e.before), wish(&e.after), "", "not registered now")
					continue
				}
				t.add(e.instance.ID, standing(before), standing(after), percent(before.Share)+" → "+percent(after.Share), after.Effective.Because)
			}
			return t
		},
	})
	if err != nil {
		return err
	}
	a.c.say("%s", m.String())
	return nil
}

// unwritten is the record that the act would leave.
func (a *act) unwritten(e *edit) nativewire.AuditRecord {
	k := e.instance.Key()
	var after *muster.Intent
	if !e.after.Empty() {
		after = new(e.after)
		after.Then = after.Beneath(e.before)
	}
	return nativewire.AuditRecord{
		Op: "intent", Namespace: k.Namespace, Service: k.Service, Instance: k.ID, Claimed: a.c.text("by"), Why: cmp.Or(e.why, a.why),
		Before: nativewire.FromIntent(e.before), After: nativewire.FromIntent(after),
	}
}

// epilogue says who sees what was done, how long it lasts and how it is undone.
func (a *act) epilogue(store muster.IntentStore, edits []edit) {
	for _, e := range edits {
		if e.before != nil && !e.before.Until.IsZero() && !e.after.Until.Equal(e.before.Until) && !e.after.Empty() && !e.returns {
			a.c.say("Note: what was set for %s before was to end at %s; now all of it ends %s.", e.instance.ID,
				e.before.Until.UTC().Format(time.RFC3339), end(&e.after))
		}
		if e.inherits && !e.after.Empty() {
			a.c.say("Note: an act before set an end for %s%s, and this one ends with it at %s; --for 0 keeps it for good.", e.instance.ID,
				reason(&e.after), e.after.Until.UTC().Format(time.RFC3339))
		}
	}
	terms := store.Terms()
	last := &edits[len(edits)-1].after
	if last.Empty() {
		a.c.say("Seen by: %s.", terms.Reaches)
	} else {
		a.c.say("Seen by: %s. Kept: %s. Ends: %s.", terms.Reaches, terms.Lives, ends(edits))
	}
	if !last.Until.IsZero() && !terms.Expires {
		a.c.say("This registry does not end it by itself: undo it in time.")
	}
	var ids []string
	for _, e := range edits {
		if e.record.ID != 0 {
			ids = append(ids, strconv.FormatUint(e.record.ID, 10))
		}
	}
	if len(ids) == len(edits) {
		a.c.say("Undo: %s", a.c.command("undo "+strings.Join(ids, " ")))
	}
}

// reason is why an intent is wanted, to stand behind a name.
func reason(it *muster.Intent) string {
	if it.Why == "" {
		return ""
	}
	return " (" + it.Why + ")"
}

// ends says when edits end, if all do alike.
func ends(edits []edit) string {
	last := &edits[len(edits)-1]
	for i := range edits {
		if end(&edits[i].after) != end(&last.after) {
			return "not all alike: muster explain " + last.instance.Service + " says when each does"
		}
	}
	return end(&last.after)
}

// end says when an intent ends, and what comes then.
func end(it *muster.Intent) string {
	if it.Until.IsZero() {
		return "when somebody says so"
	}
	return "by itself at " + it.Until.UTC().Format(time.RFC3339) + then(it)
}

// then says what comes after an intent, to stand behind its end.
func then(it *muster.Intent) string {
	if it.Then.Empty() {
		return ""
	}
	return ", then " + wish(it.Then)
}

// command is a command line that talks to the same registry as this one.
func (c *cli) command(rest string) string {
	line := "muster"
	for _, name := range []string{"registry", "namespace"} {
		if v := c.set.values[name]; strings.HasPrefix(v.From, "flag") {
			line += " --" + name + " " + open.Mask(v.Value)
		}
	}
	if c.configPath != "" {
		line += " --config " + c.configPath
	}
	return line + " " + rest
}

// standing is an instance's part in the traffic in two words.
func standing(s muster.Standing) string {
	if s.Effective.Up() {
		return fmt.Sprintf("up, weight %d", s.Effective.Weight)
	}
	return s.Effective.Status.String()
}

// wish is what an intent asks for.
func wish(it *muster.Intent) string {
	if it.Empty() {
		return "nothing"
	}
	var out []string
	if it.Enabled != nil {
		out = append(out, map[bool]string{true: "enabled", false: "disabled"}[*it.Enabled])
	}
	if it.Weight != nil {
		out = append(out, fmt.Sprintf("weight %d", *it.Weight))
	}
	if it.Note != "" {
		out = append(out, strconv.Quote(it.Note))
	}
	return strings.Join(out, ", ")
}
