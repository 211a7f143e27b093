//go:build unix

package debugwire

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ours says whether a file belongs to this user.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(os.Geteuid())
}

// closed says whether nobody but its owner may use a file.
func closed(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

// Refused says whether err is that nobody listens on a socket.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
