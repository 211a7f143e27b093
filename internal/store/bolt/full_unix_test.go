//go:build unix

package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// writeUntilFull limits the size of files, writes intents until one is refused, and checks what still works then and when the
// limit is lifted.
func writeUntilFull(dir string) error {
	j, err := bolt.Open(dir, nil)
	if err != nil {
		return err
	}
	s, err := store.Open(store.Options{Journal: j})
	if err != nil {
		return err
	}
	if err := s.AwaitLoad(context.Background()); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, bolt.File))
	if err != nil {
		return err
	}
	was, err := limitFiles(uint64(info.Size()) + 64<<10)
	if err != nil {
		return err
	}
	stored := 0
	set := func(n int) error {
		_, err := s.SetIntent(full(n).Instance.Key(), muster.Intent{Note: strings.Repeat("x", 1000)}, store.Author{})
		return err
	}
	for err == nil && stored < 1000 {
		if err = set(stored); err == nil {
			stored++
		}
	}
	if !errors.Is(err, muster.Exhausted) || strings.Count(err.Error(), filepath.Join(dir, bolt.File)) != 1 {
		return fmt.Errorf("after %d intents: %v; want exhausted with the file's name, once", stored, err)
	}
	if s.Intent(full(stored).Instance.Key()) != nil || len(s.Intents("prod")) != stored {
		return errors.New("an intent that was refused is visible")
	}
	for n := range 2000 {
		r := full(n)
		if _, err := s.Update(r.Instance.Key(), func(*store.Record) (*store.Record, error) { return r, nil }); err != nil {
			return fmt.Errorf("registering with a full disk: %w", err)
		}
	}
	if err := s.Renew(full(7).Instance.Key(), ""); err != nil {
		return fmt.Errorf("renewing with a full disk: %w", err)
	}
	if err := until(func() bool { return s.State().Journal != "" }); err != nil {
		return fmt.Errorf("State does not say that the journal is behind: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := until(func() bool { return s.State().Journal == "" }); err != nil {
		return fmt.Errorf("with room again, State still says %q: %w", s.State().Journal, err)
	}
	if err := set(stored); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if j, err = bolt.Open(dir, nil); err != nil {
		return err
	}
	records, intents := 0, 0
	if _, err := j.Load(loader(func(*store.Record) { records++ }, func(muster.Key, *muster.Intent) { intents++ })); err != nil {
		return err
	}
	if records != 2000 || intents != stored+1 {
		return fmt.Errorf("the journal has %d records and %d intents, want 2000 and %d", records, intents, stored+1)
	}
	return j.Close()
}

// limitFiles limits the size of the files that this process writes, and returns the limit before.
func limitFiles(size uint64) (was syscall.Rlimit, err error) {
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return was, err
	}
	limit := was
	limit.Cur = size
	return was, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// upgradeInNoRoom opens a file of an older format where no copy of it has room.
func upgradeInNoRoom(dir string) error {
	if _, err := limitFiles(8 << 10); err != nil {
		return err
	}
	_, err := bolt.Open(dir, nil)
	if !errors.Is(err, muster.Exhausted) || !strings.Contains(err.Error(), bolt.File+".format1-") {
		return fmt.Errorf("opening it: %v; want exhausted, with the copy's name", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, bolt.File+".*")); len(left) > 0 { // the pattern is good
		return fmt.Errorf("%q are left over", left)
	}
	return nil
}

func until(ok func() bool) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return nil
		}
	}
	return errors.New("20 s passed")
}

// startInNoRoom opens a data file where none is, where it has no room.
func startInNoRoom(dir string) error {
	for _, room := range []uint64{0, 8 << 10, 20 << 10} { // the head, and what is laid out behind it
		was, err := limitFiles(room)
		if err != nil {
			return err
		}
		_, err = bolt.Open(dir, nil)
		if !errors.Is(err, muster.Exhausted) || !strings.Contains(err.Error(), filepath.Join(dir, bolt.File)) {
			return fmt.Errorf("in %d bytes: %v; want exhausted, with the file's name", room, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			return fmt.Errorf("in %d bytes: %v are left over (%v)", room, left, err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			return err
		}
	}
	j, err := bolt.Open(dir, nil)
	if err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return j.Close()
}

// recoverInNoRoom starts with recovery on a damaged file, where what can be read of it has no room.
func recoverInNoRoom(dir string) error {
	path := filepath.Join(dir, bolt.File)
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		return err
	}
	was, err := limitFiles(0)
	if err != nil {
		return err
	}
	if _, err := bolt.Open(dir, &bolt.Options{Recover: true}); !errors.Is(err, muster.Exhausted) {
		return fmt.Errorf("with recovery: %v; want exhausted", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != bolt.File {
		return fmt.Errorf("%v are left over (%v); want the damaged file in its place", left, err)
	}
	if _, err := bolt.Open(dir, nil); muster.CodeOf(err) != muster.Internal {
		return fmt.Errorf("the next start: %v; want that the file is damaged", err)
	}
	return nil
}
