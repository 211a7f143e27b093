package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) undoCommand() *cobra.Command {
	a := &act{c: c}
	cmd := &cobra.Command{
		Use:   "undo [ID…]",
		Short: "Take acts back",
		Long: `Puts the intent back that was there before an act, with the reason that it had; --why goes into the audit.
IDs are those of muster audit; without one it is the last act of yours. An act that somebody else changed since is not
touched (exit code 7). Of an act that is not on an intent (register --static, deregister, token) it says what takes it
back, and changes nothing (exit code 2). Undoing is an act too: it can be undone.`,
		Example: `  muster undo
  muster undo 42 43`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]uint64, len(args))
			for i, arg := range args {
				n, err := strconv.ParseUint(arg, 10, 64)
				if err != nil || n == 0 {
					return usage("%q is not an ID of muster audit", arg)
				}
				ids[i] = n
			}
			return a.undo(cmd.Context(), ids)
		},
	}
	a.flags = cmd.Flags()
	a.addConsent(cmd)
	cmd.Flags().StringVar(&a.why, "why", "", "the reason, for the audit; by default which act is undone")
	return cmd
}

// undo takes the acts back that ids name, or this user's last.
func (a *act) undo(ctx context.Context, ids []uint64) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	view, err := a.c.view(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.c.duration("timeout"))
	defer cancel()
	records, err := a.records(ctx, ids)
	if err != nil {
		return err
	}
	byService := map[string][]edit{}
	var services []string
	for _, rec := range records {
		e, err := a.revert(ctx, store, view, rec)
		if err != nil {
			return err
		}
		name := rec.Key.Service
		if byService[name] == nil {
			services = append(services, name)
		}
		byService[name] = append(byService[name], e)
	}
	for _, name := range services {
		if err := a.perform(ctx, store, view, name, byService[name]); err != nil {
			return err
		}
	}
	return nil
}

// deepest is how many audit records are searched for the ones to undo.
const deepest = 10_000

// records finds the audit records to undo, as listed: newest first.
func (a *act) records(ctx context.Context, ids []uint64) ([]muster.AuditRecord, error) {
	auditor, ok := a.c.open.Driver().(muster.Auditor)
	if !ok {
		return nil, &muster.Error{Op: "undo", Code: muster.Unsupported, Err: errors.New("this registry keeps no audit, so nothing can be undone by its ID")}
	}
	if len(ids) == 0 {
		return a.last(ctx, auditor)
	}
	var out []muster.AuditRecord
	for _, id := range ids {
		page, err := auditor.Audit(ctx, "", id+1, 1)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 || page[0].ID != id {
			return nil, notFound("no act %d in namespace %s; muster audit lists them", id, a.c.open.Namespace())
		}
		if page[0].Op != "intent" {
			return nil, a.c.refuseUndo(&page[0], fmt.Sprintf("act %d", id))
		}
		out = append(out, page[0])
	}
	return out, nil
}

// last is the newest act that this user made. One that is not on an intent is refused and not passed over: an act from before
// would be undone that nobody meant.
func (a *act) last(ctx context.Context, auditor muster.Auditor) ([]muster.AuditRecord, error) {
	me := a.c.text("by")
	var others string
	for before, seen := uint64(0), 0; seen < deepest; {
		page, err := auditor.Audit(ctx, "", before, 100)
		if err != nil {
			return nil, err
		}
		for _, rec := range page {
			mine := rec.Claimed == me || rec.Proven == me
			switch {
			case rec.Op == "expired" || rec.Op == "backup": // nobody's act, or it changed nothing
			case mine && rec.Op != "intent":
				return nil, a.c.refuseUndo(&rec, fmt.Sprintf("your last act, %d,", rec.ID))
			case mine:
				return []muster.AuditRecord{rec}, nil
			case others == "" && rec.Op == "intent":
				others = fmt.Sprintf("; the last of anybody's is %d by %s: muster undo %d", rec.ID, who(rec), rec.ID)
			}
		}
		if len(page) < 100 {
			break
		}
		before, seen = page[len(page)-1].ID, seen+len(page)
	}
	return nil, notFound("no act of %s in namespace %s%s", me, a.c.open.Namespace(), others)
}

// revert is the edit that puts the intent back as it was before rec.
//
// Errors: Conflict when the intent is not any more what rec made of it.
func (a *act) revert(ctx context.Context, store muster.IntentStore, view *muster.View, rec muster.AuditRecord) (edit, error) {
	e := edit{instance: view.Table.Snapshot(rec.Key.Service).Instance(rec.Key.ID)}
	if e.instance == nil {
		e.instance, e.absent = &muster.Instance{Namespace: rec.Key.Namespace, Service: rec.Key.Service, ID: rec.Key.ID}, true
	}
	var err error
	if e.before, err = store.Intent(ctx, rec.Key); err != nil {
		return e, err
	}
	if revOf(e.before) != revOf(rec.After) {
		return e, &muster.Error{
			Op: "undo", Service: rec.Key.Service, Instance: rec.Key.ID, Code: muster.Conflict,
			Err: fmt.Errorf("since act %d it was changed again, or has ended%s: see muster audit %s", rec.ID, a.overtaker(ctx, rec), rec.Key.Service),
		}
	}
	e.after = before(&rec)
	e.after.By, e.why = a.c.text("by"), cmp.Or(a.why, fmt.Sprintf("undo of act %d", rec.ID))
	return e, nil
}

// overtaker names the newest act on the instance of rec, in parentheses; nothing when there is none, or the audit does not say.
func (a *act) overtaker(ctx context.Context, rec muster.AuditRecord) string {
	auditor, ok := a.c.open.Driver().(muster.Auditor)
	if !ok {
		return ""
	}
	newer, err := auditor.Audit(ctx, rec.Key.Service, 0, 100)
	if err != nil {
		return ""
	}
	for _, n := range newer {
		if n.ID > rec.ID && n.Key.Fold() == rec.Key.Fold() && (n.Op == "intent" || n.Op == "expired") {
			if n.Op == "expired" {
				return fmt.Sprintf(" (act %d, by itself)", n.ID)
			}
			return fmt.Sprintf(" (act %d by %s)", n.ID, who(n))
		}
	}
	return ""
}

// before is the intent to write so that it is as it was before rec. What has ended since gives way once more; what has an end
// is told what comes then, for it is written over something else than it was at first.
func before(rec *muster.AuditRecord) muster.Intent {
	it := rec.Before
	if it != nil && !it.Until.IsZero() && !it.Until.After(time.Now()) {
		it = it.Then
	}
	if it == nil {
		return muster.Intent{}
	}
	out := *it
	if !out.Until.IsZero() && out.Then == nil {
		out.Then = new(muster.Intent{})
	}
	return out
}

// who did it, proven before claimed.
func who(rec muster.AuditRecord) string {
	switch {
	case rec.Proven != "" && rec.Claimed != "":
		return rec.Proven + " (says " + rec.Claimed + ")"
	case rec.Proven != "":
		return rec.Proven
	case rec.Claimed != "":
		return rec.Claimed + " (as claimed)"
	}
	return "somebody"
}
