package bolt_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/store/bolt"
)

func TestWhoHoldsTheFileIsNamed(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "") // some file systems on disk (btrfs) give /proc/locks another device than stat
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j, err := bolt.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	_, err = bolt.Open(dir, nil)
	want := fmt.Sprintf("another process holds it (process %d, ", os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v, want %q and no word of a timeout", err, want)
	}
}
