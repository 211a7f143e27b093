package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/internal/store/bolt"
)

func (c *cli) backupCommand() *cobra.Command {
	var data string
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that a server keeps to a file, while it serves",
		Long: `Writes all that muster serve keeps in its data directory to FILE, as it is at one moment: instances,
intents, tokens (as hashes) and audit. The server of that directory is asked while it serves on; when
none runs, the data are read from the directory. FILE gets its name once all of it is on the disk and was
read again. FILE - is stdout.

muster restore puts it back.`,
		Example: `  muster backup /backups/muster-$(date +%F).db
  muster backup - --data /var/lib/muster | age -r KEY > muster.db.age`,
		Args: exactly(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.backup(cmd.Context(), args[0], data, force) },
	}
	c.dataFlag(cmd, &data)
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return cmd
}

// dataFlag gives cmd the flag that names a data directory of this machine.
func (c *cli) dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "data directory of the server; by default that of muster serve (MUSTER_DATA)")
	cmd.MarkFlagDirname("data")
}

// dataPath is the data directory that was asked for.
func (c *cli) dataPath(data string) (string, error) {
	if data == "" {
		data = c.text("serve.data")
	}
	if data == "" || data == memoryData {
		return "", usage("--data must name a directory; a server in memory keeps nothing")
	}
	abs, err := filepath.Abs(data)
	if err != nil {
		return "", usage("data directory %q: %v", data, err)
	}
	return abs, nil
}

// kept is what a data file holds, as it is printed.
type kept struct {
	File      string    `json:"file"`
	Format    int       `json:"format"`
	Version   string    `json:"version,omitempty"` // of the muster that last opened it
	Bytes     int64     `json:"bytes"`
	Instances int       `json:"instances"` // that have a lease
	Static    int       `json:"static"`
	Intents   int       `json:"intents"`
	Tokens    int       `json:"tokens"`
	Audit     int       `json:"audit"`
	Last      time.Time `json:"last,omitzero"` // when something was last audited
}

func keptIn(file string, k *bolt.Contents) kept {
	return kept{file, k.Format, k.Version, k.Bytes, k.Instances, k.Static, k.Intents, k.Tokens, k.Audit, k.Last.UTC()}
}

func (k *kept) table(bool) *table {
	t := newTable(false, "INSTANCES", "STATIC", "INTENTS", "TOKENS", "AUDIT", "LAST ACT", "SIZE")
	t.add(strconv.Itoa(k.Instances), strconv.Itoa(k.Static), strconv.Itoa(k.Intents), strconv.Itoa(k.Tokens), strconv.Itoa(k.Audit), lastAct(k.Last), bytesText(k.Bytes))
	return t
}

func lastAct(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (c *cli) backup(ctx context.Context, file, data string, force bool) error {
	dir, err := c.dataPath(data)
	if err != nil {
		return err
	}
	if file == "-" {
		return c.backupToStdout(ctx, dir)
	}
	contents, err := c.saveBackup(ctx, dir, file, force)
	if err != nil {
		return err
	}
	k := keptIn(file, contents)
	if err := c.print(printed{Value: k, Table: k.table, Names: []string{file}}); err != nil {
		return err
	}
	c.say("%s was read again and is whole. To put it back: muster restore %s", file, file)
	return nil
}

// backupToStdout writes a file that was read again to stdout.
func (c *cli) backupToStdout(ctx context.Context, dir string) error {
	if isTerminal(c.stdout) {
		return usage("a terminal cannot show a backup: name a file, or redirect stdout")
	}
	temp, err := os.MkdirTemp("", "muster-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	contents, err := c.saveBackup(ctx, dir, filepath.Join(temp, bolt.File), true)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(temp, bolt.File))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(c.stdout, f); err != nil {
		return err
	}
	c.progress("wrote %s: %s, %d static, %s, %s, %s", bytesText(contents.Bytes), count(contents.Instances, "instance"), contents.Static,
		count(contents.Intents, "intent"), count(contents.Tokens, "token"), count(contents.Audit, "audit record"))
	return nil
}

func (c *cli) saveBackup(ctx context.Context, dir, file string, force bool) (*bolt.Contents, error) {
	contents, err := bolt.Save(file, force, func(w io.Writer) error {
		p := &counter{to: w, cli: c, next: time.Now().Add(time.Second)}
		return c.backupOf(ctx, dir, p)
	})
	if errors.Is(err, muster.Conflict) {
		return nil, &exitError{exitFailed, fmt.Errorf("%w; --force replaces it", err)}
	}
	return contents, err
}

// backupOf writes the data of the directory to w: the server's that runs on it, else the file's.
func (c *cli) backupOf(ctx context.Context, dir string, w io.Writer) error {
	conn, dialled := server.DialControl(ctx, dir)
	if dialled == nil {
		conn.Close()
		c.progress("muster serve runs on %s and is asked", dir)
		return c.askBackup(ctx, dir, w)
	}
	_, err := bolt.Copy(ctx, dir, w)
	if errors.Is(err, muster.Unavailable) {
		return &exitError{exitFailed, fmt.Errorf("%w; its control socket does not answer (%v): run this as the user who runs it", err, dialled)}
	}
	if errors.Is(err, muster.NotFound) {
		return fmt.Errorf("%w; --data names the directory", err)
	}
	return err
}

// askBackup asks the server that runs on the directory.
func (c *cli) askBackup(ctx context.Context, dir string, w io.Writer) error {
	transport := &http.Transport{
		DisableKeepAlives:     true,
		ResponseHeaderTimeout: c.duration("timeout"),
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return server.DialControl(ctx, dir) },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://control/api/v1/backup", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Muster-By", c.text("by"))
	res, err := transport.RoundTrip(req)
	if err != nil {
		return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: err}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var p nativewire.Problem
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p); err != nil || p.Code == "" {
			return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: fmt.Errorf("the server answered %s", res.Status)}
		}
		p.Op = "backup"
		return p.Err()
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: fmt.Errorf("the server's answer broke off: %w", err)}
	}
	return nil
}

// counter shows on a terminal how much was written.
type counter struct {
	to   io.Writer
	cli  *cli
	n    int64
	next time.Time
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	if now := time.Now(); isTerminal(c.cli.stderr) && now.After(c.next) {
		c.next = now.Add(time.Second)
		c.cli.progress("%s so far", bytesText(c.n))
	}
	return n, err
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
