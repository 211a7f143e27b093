package debugwire

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dirs are the directories in which this user's processes put their sockets. A new one goes into the first; the others are
// those of processes that were started another way, such as by a system's services.
//
// Source of the first: XDG Base Directory Specification, $XDG_RUNTIME_DIR. It counts only if it belongs to the user, because su
// and sudo may leave another's in the environment.
func Dirs(getenv func(string) string) []string {
	name := "muster"
	if uid := os.Geteuid(); uid >= 0 {
		name += "-" + strconv.Itoa(uid)
	}
	dirs := []string{filepath.Join(cmp.Or(getenv("TMPDIR"), os.TempDir()), name)}
	if runtime := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		if info, err := os.Stat(runtime); err == nil && info.IsDir() && ours(info) {
			dirs = append([]string{filepath.Join(runtime, "muster")}, dirs...)
		}
	}
	return dirs
}

// CheckDir says whether a directory of Dirs can be trusted: a directory itself, this user's, and closed to everybody else. On
// Windows nobody can tell the owner; there the directory for temporary files is the user's own.
//
// Errors: fs.ErrNotExist, or a plain one that names the directory and what to do.
func CheckDir(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory: remove it (sockets of this user's processes go there)", dir)
	case !ours(info):
		return fmt.Errorf("%s belongs to another user, so nothing in it can be trusted: have it removed", dir)
	case !closed(info):
		return fmt.Errorf("%s is open to other users (mode %#o): chmod 700 it, or remove it", dir, info.Mode().Perm())
	}
	return nil
}

// MakeDir makes a directory of Dirs unless it is there, and checks it.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("no place for a debug socket: %w", err)
	}
	return CheckDir(dir)
}

// Socket is a socket that was found. Whether anybody listens on it is another question.
type Socket struct {
	Path string
	PID  int // by its name
}

// MaxSockets bounds how many are looked at in a directory.
const MaxSockets = 4096

// Find lists the sockets in a directory of Dirs; none when there is no such directory.
//
// Errors: those of [CheckDir], but fs.ErrNotExist.
func Find(dir string) ([]Socket, error) {
	err := CheckDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(2 * MaxSockets)
	if len(names) == 0 {
		return nil, nil // the error is that there are none
	}
	var found []Socket
	for _, name := range names {
		if pid, ok := pidOf(name); ok && len(found) < MaxSockets {
			found = append(found, Socket{Path: filepath.Join(dir, name), PID: pid})
		}
	}
	return found, err
}

// Name is that of a process's socket; nth is 1 for its first.
func Name(pid, nth int) string {
	if nth > 1 {
		return fmt.Sprintf("%d-%d.sock", pid, nth)
	}
	return fmt.Sprintf("%d.sock", pid)
}

// pidOf reads what Name writes.
func pidOf(name string) (int, bool) {
	stem, ok := strings.CutSuffix(name, ".sock")
	stem, _, _ = strings.Cut(stem, "-")
	pid, err := strconv.ParseUint(stem, 10, 31)
	return int(pid), ok && err == nil
}
