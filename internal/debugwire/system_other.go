//go:build !unix

package debugwire

import (
	"errors"
	"io/fs"
	"syscall"
)

// ours cannot be told here.
func ours(fs.FileInfo) bool { return true }

// closed cannot be told here.
func closed(fs.FileInfo) bool { return true }

// wsaeconnrefused is Windows' own number; package syscall's ECONNREFUSED is another there.
const wsaeconnrefused = syscall.Errno(10061)

// Refused says whether err is that nobody listens on a socket.
func Refused(err error) bool {
	return errors.Is(err, wsaeconnrefused) || errors.Is(err, syscall.ECONNREFUSED)
}
