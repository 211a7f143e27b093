package bolt_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store/bolt"
)

// A file of 0 bytes is what is left of a registry, by a copy that broke off or a disk that lost it.
func TestAnEmptyFileIsDamagedAndNoEmptyRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, bolt.File)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := bolt.Open(dir, nil)
	if muster.CodeOf(err) != muster.Internal || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "0 bytes") ||
		!strings.Contains(err.Error(), "restore") || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("Open: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the refusal changed the file: %v, %v", info, err)
	}
	open(t, dir, &bolt.Options{Recover: true}).Close()
	if aside, _ := filepath.Glob(path + ".damaged-*"); len(aside) != 1 { // the pattern is good
		t.Errorf("aside: %q", aside)
	}
}

func TestAFirstStartLeavesItsFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, nil).Close()
	if names := files(t, dir); names != bolt.File {
		t.Errorf("there are %s", names)
	}
}

// The one that does not get the new file hears that another holds it, and disturbs nothing.
func TestOfTwoFirstStartsOneServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			var j *bolt.Journal
			if j, errs[i] = bolt.Open(dir, nil); errs[i] == nil {
				t.Cleanup(func() { j.Close() })
			}
		})
	}
	wg.Wait()
	served := 0
	for _, err := range errs {
		if err == nil {
			served++
		} else if muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("refused with %v", err)
		}
	}
	if served != 1 {
		t.Errorf("%d of %d serve", served, len(errs))
	}
	if names := files(t, dir); names != bolt.File {
		t.Errorf("there are %s", names)
	}
}

func TestAFirstStartOnAFullDiskLeavesNothing(t *testing.T) {
	t.Parallel()
	out, err := helper(t, t.Context(), "start in no room", t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A recovery that fails must not leave a directory without a file: the next start would begin with nothing, without a word.
func TestARecoveryOnAFullDiskLeavesTheDamagedFile(t *testing.T) {
	t.Parallel()
	out, err := helper(t, t.Context(), "recover in no room", t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
