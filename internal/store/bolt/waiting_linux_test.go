package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// A server that is started while a restore is under way waits for the file that the restore is about to replace. What it opens
// when the wait is over must not be that one: nobody would find what is written there.
func TestWhoWaitedForTheFileDoesNotOpenTheOneThatWasReplaced(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(file string) error{
		"another is in its place": func(file string) error { return os.Rename(file+".other", file) },
		"none is in its place":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, bolt.File)
			for _, path := range []string{file + ".other", file} {
				s := serve(t, dir, store.Options{})
				if _, err := s.SetIntent(full(1).Instance.Key(), muster.Intent{Note: filepath.Ext(path)}, store.Author{}); err != nil {
					t.Fatal(err)
				}
				closeStore(t, s)
				if err := os.Rename(file, path); err != nil {
					t.Fatal(err)
				}
			}
			restoring, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			opened := make(chan error, 1)
			go func() {
				j, err := bolt.Open(dir, nil)
				if err == nil {
					err = j.Close()
				}
				opened <- err
			}()
			awaitWriter(t, file)
			if err := take(file); err != nil {
				t.Fatal(err)
			}
			if err := restoring.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "taken away") {
				t.Errorf("opened with %v, want that the file was taken away", err)
			}
		})
	}
}

// awaitWriter returns once this process has the file open for writing.
func awaitWriter(t *testing.T, file string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err != nil || to != file {
				continue
			}
			var pos, flags int
			info, _ := os.ReadFile("/proc/self/fdinfo/" + fd.Name()) // closed since: empty
			if _, err := fmt.Sscanf(string(info), "pos:\t%d\nflags:\t%o", &pos, &flags); err == nil && flags&os.O_RDWR != 0 {
				return
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("nobody opened the file for writing")
		}
	}
}
