//go:build unix

package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// A file that was removed while it is open takes writes as ever, and nobody finds them again: what an operator is told is done
// must be at the path that was named.
func TestNothingIsAcknowledgedIntoAFileThatWasTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(file string) error{
		"the directory is removed": func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
		"another file is there": func(file string) error {
			if err := os.Rename(file, file+".old"); err != nil {
				return err
			}
			return os.WriteFile(file, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			s := serve(t, dir, store.Options{})
			key, file := full(1).Instance.Key(), filepath.Join(dir, bolt.File)
			first, err := s.SetIntent(key, muster.Intent{Note: "kept"}, store.Author{})
			if err != nil {
				t.Fatal(err)
			}
			if err := take(file); err != nil {
				t.Fatal(err)
			}
			_, err = s.SetIntent(key, muster.Intent{Note: "lost", Rev: first.Rev}, store.Author{})
			if !errors.Is(err, muster.Unavailable) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "taken away") {
				t.Errorf("an intent into a file that is gone: %v", err)
			}
			if err := s.Record(muster.AuditRecord{Op: "deregister", Key: key}); !errors.Is(err, muster.Unavailable) {
				t.Errorf("an audit record into a file that is gone: %v", err)
			}
			if it := s.Intent(key); it == nil || it.Note != "kept" {
				t.Errorf("the intent is %+v, want the one that was acknowledged", it)
			}
		})
	}
}

// Nothing is damaged here, and recovery would move away what is not muster's.
func TestWhatIsNoFileIsNotDamaged(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, bolt.File)
		if err := put(file); err != nil {
			t.Fatal(err)
		}
		_, err := bolt.Open(dir, &bolt.Options{Recover: true})
		if !errors.Is(err, muster.Invalid) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s was moved away: %v", name, err)
		}
	}
}
