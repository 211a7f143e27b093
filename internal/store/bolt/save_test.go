package bolt_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// A backup that is written to the data file of the server that it is of would have it write, from then on, to a file that nobody
// finds.
func TestABackupDoesNotReplaceTheFileOfAServerThatRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	file := filepath.Join(dir, bolt.File)
	_, err := bolt.Save(file, true, func(w io.Writer) error {
		_, err := s.Backup(t.Context(), w)
		return err
	})
	if muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), file+": another process holds it") {
		t.Errorf("saved with %v", err)
	}
	if _, err := s.SetIntent(full(1).Instance.Key(), muster.Intent{Note: "kept"}, store.Author{}); err != nil {
		t.Errorf("afterwards the server: %v", err)
	}
	if got := files(t, dir); got != bolt.File {
		t.Errorf("there are now %s", got)
	}
}

func TestABackupReplacesNothingButFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "taken")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := bolt.Save(dir, true, func(io.Writer) error { return errors.New("not to be called") })
	if muster.CodeOf(err) != muster.Invalid || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("saved with %v", err)
	}
}

// Two that write to one name, as by a timer that is too quick: each is whole, and the last one stays.
func TestBackupsToOneNameDoNotWriteIntoOneAnother(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), store.Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "b.db")
	backup := func(w io.Writer) error {
		_, err := s.Backup(t.Context(), w)
		return err
	}
	_, err := bolt.Save(file, true, func(w io.Writer) error {
		if err := backup(w); err != nil {
			return err
		}
		_, err := bolt.Save(file, true, func(w io.Writer) error { // begins, and breaks off, before the first one is done
			if _, err := w.Write([]byte("half")); err != nil {
				return err
			}
			return io.ErrClosedPipe
		})
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the second: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("the first: %v", err)
	}
	if _, err := bolt.Examine(file); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); got != "b.db" {
		t.Errorf("there are now %s", got)
	}
}
