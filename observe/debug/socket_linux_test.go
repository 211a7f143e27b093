package debug_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-go/muster/observe/debug"
)

// asStranger in the environment makes a test connect to that socket as another user, and nothing else.
const asStranger = "MUSTER_TEST_AS_STRANGER"

// TestStrangersAreRefused runs itself as the user nobody, which takes root; everybody else checks the modes in
// TestSocketIsForItsOwnerAlone. The named socket is in a directory that everybody may use, so that its own mode counts.
func TestStrangersAreRefused(t *testing.T) {
	if path := os.Getenv(asStranger); path != "" {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
			t.Fatalf("connected to %s", path)
		}
		t.Log(err)
		return
	}
	dir := short(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	named := listen(t, "unix:"+filepath.Join(dir, "open"), debug.NewHandler())
	private := listen(t, "unix", debug.NewHandler())
	if os.Geteuid() != 0 {
		return
	}
	// The test's own binary stands where nobody may not look.
	program := filepath.Join(dir, "stranger")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{named.Path(), private.Path()} {
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestStrangersAreRefused$", "-test.v")
		cmd.Dir = "/"
		cmd.Env = []string{asStranger + "=" + path, "TMPDIR=" + os.TempDir(), "GORACE=atexit_sleep_ms=0"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "permission denied") {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
