package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func (c *cli) auditCommand() *cobra.Command {
	var limit int
	var before uint64
	cmd := &cobra.Command{
		Use:   "audit [SERVICE]",
		Short: "List what operators did, newest first",
		Example: `  muster audit
  muster audit ORDERS --limit 5 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("audit takes one service at most, got %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: c.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > deepest {
				return usage("--limit %d is outside 1..%d", limit, deepest)
			}
			service := ""
			if len(args) == 1 {
				service = args[0]
			}
			return c.audit(cmd.Context(), service, before, limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many")
	cmd.Flags().Uint64Var(&before, "before", 0, "only older than this ID")
	return cmd
}

func (c *cli) audit(ctx context.Context, service string, before uint64, limit int) error {
	r, err := c.registry(nil)
	if err != nil {
		return err
	}
	auditor, ok := r.Driver().(muster.Auditor)
	if !ok {
		return &muster.Error{Op: "audit", Code: muster.Unsupported, Err: errors.New("this registry keeps no audit")}
	}
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	records, err := auditor.Audit(ctx, service, before, limit)
	if err != nil {
		return err
	}
	list := nativewire.List[nativewire.AuditRecord]{Items: []nativewire.AuditRecord{}}
	var names []string
	for _, rec := range records {
		list.Items = append(list.Items, nativewire.FromAudit(rec))
		names = append(names, strconv.FormatUint(rec.ID, 10))
	}
	if len(records) == limit {
		list.Next = names[len(names)-1]
	}
	return c.print(printed{
		Value: list,
		Names: names,
		Table: func(wide bool) *table {
			t := newTable(false, "ID", "AT", "OP", "SERVICE", "INSTANCE", "WHO", "BEFORE", "AFTER", "WHY")
			if !wide {
				t.spare = []string{"BEFORE", "OP"}
			}
			for _, rec := range records {
				at := rec.At.Local().Format(time.RFC3339)
				if wide {
					at = rec.At.UTC().Format(time.RFC3339Nano)
				}
				before, after := wish(rec.Before), wish(rec.After)
				if rec.Before == nil && rec.After == nil {
					before, after = "", rec.Detail // it changed no intent
					if was, is, ok := nativewire.ParseStaticDetail(rec.Detail); ok {
						before, after = orWord(was, "nothing"), orWord(is, "nothing")
					}
				}
				if rec.After != nil && !rec.After.Until.IsZero() {
					after += fmt.Sprintf(", until %s%s", rec.After.Until.UTC().Format(time.RFC3339), then(rec.After))
				}
				t.add(strconv.FormatUint(rec.ID, 10), at, rec.Op, rec.Key.Service, rec.Key.ID, who(rec), before, after, rec.Why)
			}
			return t
		},
	})
}
