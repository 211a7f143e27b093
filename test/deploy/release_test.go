package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The script itself builds twice and fails when a byte differs; this looks at what is in a release of one target.
func TestReleaseIsWholeVerifiableAndTwiceTheSame(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file(t, "scripts", "release"), "linux/amd64")
	cmd.Env = append(os.Environ(), "OUT="+out, "VULN=skip", "VERSION=v0.987.6", "SECOND_CACHE="+filepath.Join(cache, "muster", "release"))
	told, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(told), "two builds are equal to the byte") || !strings.Contains(string(told), "NOT CHECKED") {
		t.Fatalf("%v\n%s", err, told)
	}
	const base = "muster_0.987.6_linux_amd64"
	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = out
	if checked, err := sums.CombinedOutput(); err != nil || strings.Count(string(checked), ": OK") != 2 {
		t.Errorf("sha256sum: %v\n%s", err, checked)
	}
	output(t, "tar", "-C", out, "-xzf", filepath.Join(out, base+".tar.gz"))
	for _, name := range []string{
		"LICENSE", "README.md", "SECURITY.md", "CHANGELOG.md", "sbom.cdx.json", "docs/serve.md", "deploy/systemd/muster.service",
		"completions/muster.bash", "completions/_muster", "completions/muster.fish", "completions/muster.ps1",
		"LICENSES/std/LICENSE", "LICENSES/go.etcd.io/bbolt/LICENSE", "LICENSES/github.com/prometheus/client_golang/NOTICE",
	} {
		if info, err := os.Stat(filepath.Join(out, base, name)); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}

	program := filepath.Join(out, base, "muster")
	var version struct{ Version, Commit string }
	if err := json.Unmarshal([]byte(output(t, program, "version", "-o", "json")), &version); err != nil {
		t.Fatal(err)
	}
	head := exec.Command("git", "rev-parse", "HEAD")
	head.Dir = file(t)
	commit, err := head.Output()
	if err != nil {
		t.Fatal(err)
	}
	if version.Version != "v0.987.6" || version.Commit != strings.TrimSpace(string(commit)) {
		t.Errorf("the binary says %+v, want v0.987.6 of %s", version, commit)
	}
	var bill struct {
		Metadata   struct{ Timestamp time.Time }
		Components []struct{ Name, Version string }
	}
	text, err := os.ReadFile(filepath.Join(out, base, "sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(output(t, "go", "version", "-m", program)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "dep" {
			continue
		}
		if !slices.ContainsFunc(bill.Components, func(c struct{ Name, Version string }) bool { return c.Name == f[1] && c.Version == f[2] }) {
			t.Errorf("%s %s is in the binary and not in its bill of materials", f[1], f[2])
		}
		if licences, _ := filepath.Glob(filepath.Join(out, base, "LICENSES", f[1], "*")); len(licences) == 0 {
			t.Errorf("%s is in the binary and its licence is not beside it", f[1])
		}
	}
	archive, err := os.Stat(filepath.Join(out, base, "LICENSE"))
	if err != nil || !archive.ModTime().Equal(bill.Metadata.Timestamp) {
		t.Errorf("files are of %v, want the commit's time %v", archive.ModTime(), bill.Metadata.Timestamp)
	}
}
