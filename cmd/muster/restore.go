package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store/bolt"
)

func (c *cli) restoreCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of a server's data",
		Long: `Puts a copy of FILE, which muster backup wrote, in the place of the data of muster serve. The server must
be stopped. All of FILE is read before anything changes; the data that were there stay beside the new ones,
under a name that is printed.

Once the server is started again, clients list anew, and nothing expires before one TTL has passed.`,
		Example: `  muster restore /backups/muster-2026-03-29.db
  muster restore muster.db --data /var/lib/muster`,
		Args: exactly(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.restore(cmd.Context(), args[0], data) },
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory of the server; by default that of muster serve (MUSTER_DATA)")
	cmd.MarkFlagDirname("data")
	return cmd
}

// restored is what a restore did.
type restored struct {
	kept
	Data  string `json:"data"`            // the directory
	Aside string `json:"aside,omitempty"` // where the data that were there are now
}

func (c *cli) restore(ctx context.Context, file, data string) error {
	dir, err := c.dataPath(data)
	if err != nil {
		return err
	}
	done, err := bolt.Restore(ctx, file, dir)
	if errors.Is(err, muster.Unavailable) {
		return &exitError{exitFailed, err}
	}
	if err != nil {
		return err
	}
	r := restored{keptIn(file, &done.Contents), dir, done.Aside}
	if err := c.print(printed{Value: r, Table: r.table, Names: []string{done.Path}}); err != nil {
		return err
	}
	if done.Aside != "" {
		c.say("What was there is now %s.", done.Aside)
	}
	c.say("Start it: muster serve --data %s", dir)
	return nil
}
