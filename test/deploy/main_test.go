package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/test/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slack is what a busy machine may add to any duration.
const slack = 20 * time.Second

// file returns the path of a file of the tree.
func file(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// read returns a file of the tree.
func read(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(file(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a program that must succeed and returns what it wrote to both outputs.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// await waits until ok agrees.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	peer.Await(t, slack, what, ok)
}
