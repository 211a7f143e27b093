package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store/bolt"
)

func (c *cli) backupCommand() *cobra.Command {
	var from administration
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that a server keeps to a file, while it serves",
		Long: `Writes all that muster serve keeps in its data directory to FILE, as it is at one moment: instances,
intents, tokens (as hashes) and audit. On the machine of the server, its user and root need no token: the
server that runs on the directory is asked and serves on; when none runs, the data are read from there.
From elsewhere a token with admin is needed.

FILE gets its name once all of it is on the disk and was read again. FILE - is stdout. muster restore puts
it back.`,
		Example: `  muster backup /backups/muster-$(date +%F).db
  muster backup - --data /var/lib/muster | age -r KEY > muster.db.age`,
		Args: exactly(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.backup(cmd.Context(), &from, args[0], force) },
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return cmd
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
	Last      time.Time `json:"last,omitzero"`    // when something was last audited
	Behind    string    `json:"behind,omitempty"` // of a backup: why it lacks instances registered or changed lately
}

func keptIn(file string, k *bolt.Contents) kept {
	return kept{
		File: file, Format: k.Format, Version: k.Version, Bytes: k.Bytes, Instances: k.Instances, Static: k.Static,
		Intents: k.Intents, Tokens: k.Tokens, Audit: k.Audit, Last: k.Last.UTC(),
	}
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

func (c *cli) backup(ctx context.Context, from *administration, file string, force bool) error {
	if file == "-" {
		return c.backupToStdout(ctx, from)
	}
	contents, behind, err := c.saveBackup(ctx, from, file, force)
	if err != nil {
		return err
	}
	k := keptIn(file, contents)
	k.Behind = behind
	if err := c.print(printed{Value: k, Table: k.table, Names: []string{file}}); err != nil {
		return err
	}
	whole := "is whole"
	if behind != "" {
		whole = "is one file, but not all that the server has"
	}
	back := "muster restore " + file
	if from.data != "" {
		back += " --data " + from.data
	}
	c.say("%s was read again and %s. To put it back: %s", file, whole, back)
	return nil
}

// backupToStdout writes a file that was read again to stdout.
func (c *cli) backupToStdout(ctx context.Context, from *administration) error {
	if isTerminal(c.stdout) {
		return usage("a terminal cannot show a backup: name a file, or redirect stdout")
	}
	temp, err := os.MkdirTemp("", "muster-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	contents, _, err := c.saveBackup(ctx, from, filepath.Join(temp, bolt.File), true)
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

// saveBackup makes the file, and returns why it lacks what was registered lately, if it does.
func (c *cli) saveBackup(ctx context.Context, from *administration, file string, force bool) (contents *bolt.Contents, behind string, err error) {
	out := &counter{cli: c, next: time.Now().Add(time.Second)}
	contents, err = bolt.Save(file, force, func(w io.Writer) error {
		out.to = w
		return c.backupOf(ctx, from, out)
	})
	if errors.Is(err, muster.Conflict) {
		return nil, "", &exitError{exitFailed, fmt.Errorf("%w; --force replaces it", err)}
	}
	if err == nil && out.behind != "" {
		c.progress("The backup lacks instances registered or changed lately, since the server cannot write them down: %s; intents, tokens and static instances are complete", out.behind)
	}
	return contents, out.behind, err
}

// backupOf writes to w what the server keeps that [cli.administer] would ask.
func (c *cli) backupOf(ctx context.Context, from *administration, w *counter) error {
	if from.data != "" {
		return c.backupHere(ctx, from.data, w)
	}
	dir, named := c.text("serve.data"), c.set.values["registry"].From != "default"
	if !named && runsHere(ctx, dir) {
		return c.backupHere(ctx, dir, w)
	}
	servers, err := c.servers()
	if err != nil {
		return err
	}
	for _, host := range servers.hosts {
		if err = c.download(ctx, servers, host, w); w.n > 0 || muster.CodeOf(err) != muster.Unavailable {
			return err
		}
	}
	if !named && errors.Is(err, syscall.ECONNREFUSED) && exists(filepath.Join(dir, bolt.File)) {
		return c.backupHere(ctx, dir, w)
	}
	return err
}

// backupHere writes the data of a directory of this machine: of the server that runs on it, else of the file.
func (c *cli) backupHere(ctx context.Context, data string, w *counter) error {
	dir, err := c.dataPath(data)
	if err != nil {
		return err
	}
	if runsHere(ctx, dir) {
		return c.download(ctx, controlWeb(dir), dir, w)
	}
	_, err = bolt.Copy(ctx, dir, w)
	switch {
	case errors.Is(err, muster.Unavailable):
		return &exitError{exitFailed, fmt.Errorf("%w, and its control socket does not answer: run this as the user who runs it", err)}
	case errors.Is(err, muster.NotFound):
		return fmt.Errorf("%w; --data names the directory", err)
	}
	return err
}

// download writes a server's backup to w.
func (c *cli) download(ctx context.Context, servers *web, host string, w *counter) error {
	const path = "/api/v1/backup"
	answered, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(c.duration("timeout"), cancel) // for the head of the answer; the rest takes its time
	res, err := servers.ask(answered, http.MethodGet, host, path, http.Header{"Muster-By": {c.text("by")}}, nil)
	if err == nil && !late.Stop() {
		res.Body.Close()
		err = context.DeadlineExceeded
	}
	if err != nil {
		return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: fmt.Errorf("%s: %w", host, err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxStatus)) // what there is
		if p := problemOf(res, text); p != nil {
			p.Op = "backup"
			return p
		}
		return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: notMuster(servers.url(host, path), res)}
	}
	c.progress("%s serves on and is asked", host)
	w.behind = res.Header.Get("Muster-Behind")
	if _, err := io.Copy(w, res.Body); err != nil {
		return &muster.Error{Op: "backup", Code: muster.Unavailable, Err: fmt.Errorf("%s: the answer broke off: %w", host, err)}
	}
	return nil
}

// counter shows on a terminal how much was written.
type counter struct {
	to     io.Writer
	cli    *cli
	n      int64
	next   time.Time
	behind string // what the server says it lacks
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
