package main

import (
	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// refuseUndo says of an act that is not on an intent why undo leaves it alone, and what takes it back; named is how it is
// called in that sentence.
func (c *cli) refuseUndo(rec *muster.AuditRecord, named string) error {
	on := rec.Key.String()
	if rec.Key.Service == "" {
		on = rec.Key.ID
	}
	return usage("%s is %s of %s: only intents (disable, enable, weight, note) can be undone, so nothing was changed; %s", named, rec.Op, on, c.remedy(rec))
}

// remedy is what takes an act back that undo does not.
func (c *cli) remedy(rec *muster.AuditRecord) string {
	before, _, static := nativewire.ParseStaticDetail(rec.Detail)
	switch {
	case static && before != "":
		return "this takes it back: " + c.again(rec.Key, before)
	case rec.Op == opStatic && static:
		return "this takes it back: " + c.command("deregister "+nativewire.ShellQuote(rec.Key.Service)+" "+nativewire.ShellQuote(rec.Key.ID))
	case rec.Op == "deregister":
		return "if it lives it registers again with its next heartbeat"
	case rec.Op == "create-token":
		return "this takes it back: " + c.command("token revoke "+nativewire.ShellQuote(rec.Key.ID))
	case rec.Op == "revoke-token":
		return "a revoked token does not come back: muster token create makes another"
	}
	return "the registry does not say what was before it"
}
