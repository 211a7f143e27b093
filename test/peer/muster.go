package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// Server is a running `muster serve`.
type Server struct {
	*Process
	Binary string // the muster program, for further commands
	Addr   string // 127.0.0.1:PORT
	URL    string // http://127.0.0.1:PORT
	Data   string // its data directory, kept over Restart
}

// Muster builds ./cmd/muster, starts `muster serve` on a free loopback port with a data directory of its own, and waits until it is ready.
// The flags are added to the command.
func Muster(t testing.TB, flags ...string) *Server {
	t.Helper()
	s := &Server{Binary: MusterBinary(t), Addr: Loopback(FreePort(t)), Data: filepath.Join(t.TempDir(), "data")}
	s.URL = "http://" + s.Addr
	s.Process = Start(t, Command{
		Name:  "muster serve",
		Path:  s.Binary,
		Args:  append([]string{"serve", "--listen", s.Addr, "--data", s.Data}, flags...),
		Ready: HTTP(s.URL + "/readyz"),
	})
	return s
}

// MusterBinary returns the path of the muster program, built from the tree that the test stands in, once for each test binary.
// The file is the test's own and ends with it.
func MusterBinary(t testing.TB) string {
	t.Helper()
	program, err := buildMuster()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), executable("muster"))
	// Were a child forked while the file is open for writing, it would hold it open, and starting the program would fail with ETXTBSY.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// buildMuster returns the program's bytes: so they live as long as the test binary and leave no file behind.
var buildMuster = sync.OnceValues(func() ([]byte, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "muster-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, executable("muster"))
	cmd := exec.Command("go", "build", "-o", path, "./cmd/muster")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build ./cmd/muster: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})

// Root returns the directory of muster's own module, above the working directory; nested modules are passed over.
//
// Errors: the working directory is not inside muster's source tree.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if line, _, _ := bytes.Cut(mod, []byte("\n")); string(bytes.TrimSpace(line)) == "module github.com/muster-go/muster" {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod of github.com/muster-go/muster at or above %s", start)
		}
	}
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
