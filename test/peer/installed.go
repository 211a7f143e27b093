package peer

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Installed returns what a test starts of one peer: for "eureka" the interpreter of its virtual environment, for "spring" a service. The
// scripts/peers/NAME of the tree say what it is and install it; a peer that is missing or out of date fails the test with that command.
func Installed(t testing.TB, name string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(root, "scripts", "peers", name)
	missing, err := exec.Command(script, "missing").CombinedOutput()
	if err != nil {
		t.Fatalf("scripts/peers/%s missing: %v\n%s", name, err, missing)
	}
	if len(missing) > 0 {
		t.Fatalf("peer %s is not installed: %s; run scripts/peers/%s install", name, strings.TrimSpace(string(missing)), name)
	}
	path, err := exec.Command(script, "path").Output()
	if err != nil {
		t.Fatalf("scripts/peers/%s path: %v", name, err)
	}
	return strings.TrimSpace(string(path))
}
