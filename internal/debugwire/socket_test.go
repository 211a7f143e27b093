package debugwire_test

import (
	"path/filepath"
	"testing"

	"github.com/muster-go/muster/internal/debugwire"
)

func TestDirectoriesAreTheUsersOwn(t *testing.T) {
	runtime, temp := t.TempDir(), t.TempDir()
	dirs := debugwire.Dirs(func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": runtime, "TMPDIR": temp}[name] })
	if len(dirs) != 2 || dirs[0] != filepath.Join(runtime, "muster") {
		t.Errorf("got %v", dirs)
	}
	if dirs := debugwire.Dirs(func(name string) string { return map[string]string{"TMPDIR": temp}[name] }); len(dirs) != 1 {
		t.Errorf("without a runtime directory: %v", dirs)
	}
}

func TestNoDirectoryHoldsNoSockets(t *testing.T) {
	if found, err := debugwire.Find(t.TempDir() + "/nowhere"); len(found) != 0 || err != nil {
		t.Errorf("got %v, %v", found, err)
	}
}
