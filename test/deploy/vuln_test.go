package deploy

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// vuln runs scripts/vuln on the package that has bbolt.
func vuln(t testing.TB, database, mode string) (string, int) {
	t.Helper()
	cmd := exec.Command(file(t, "scripts", "vuln"), "./internal/store/bolt")
	cmd.Env = append(os.Environ(), "GOVULNDB="+database, "VULN="+mode)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// The database is the test's own: bbolt.Open, which the data file is opened with, has a made-up finding there.
func TestKnownVulnerabilityInWhatIsCalledFailsTheStep(t *testing.T) {
	t.Parallel()
	out, code := vuln(t, "file://"+file(t, "test", "deploy", "testdata", "vulndb"), "")
	if code == 0 || !strings.Contains(out, "GO-2026-99999") || !strings.Contains(out, "calls bbolt.Open") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	out, code = vuln(t, "file://"+file(t, "test", "deploy", "testdata", "vulndb-empty"), "require")
	if code != 0 || !strings.Contains(out, "No vulnerabilities found") {
		t.Errorf("a database without it: exit code %d:\n%s", code, out)
	}
}

func TestDatabaseThatCannotBeReachedIsSaidNotToHaveBeenAsked(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + nobody.Addr().String()
	nobody.Close()
	for mode, want := range map[string]int{"": 0, "skip": 0, "require": 1} {
		out, code := vuln(t, url, mode)
		if code != want || !strings.HasPrefix(out, "NOT CHECKED") || strings.Contains(out, "No vulnerabilities") {
			t.Errorf("VULN=%s: exit code %d, want %d:\n%s", mode, code, want, out)
		}
	}
}
