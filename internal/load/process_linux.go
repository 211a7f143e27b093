package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// measureProcess reads what the process that listens on a loopback address uses, for a server that does not tell.
//
// Errors: nobody listens there, or it is another user's.
// Source: proc(5), /proc/net/tcp and /proc/PID/stat.
func measureProcess(addr string) (usage, error) {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage{}, errors.New("it is on another machine")
	}
	socket, err := listening(port)
	if err != nil {
		return usage{}, err
	}
	held, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return usage{}, err
	}
	for _, fd := range held {
		if to, err := os.Readlink(fd); err == nil && to == socket { // most are other users', or gone
			return readProcess(filepath.Dir(filepath.Dir(fd)))
		}
	}
	return usage{}, fmt.Errorf("the process that listens on port %s is another user's", port)
}

// listening is the socket that listens on a port, as /proc/PID/fd has it.
func listening(port string) (string, error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	suffix := fmt.Sprintf(":%04X", n)
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a kernel without IPv6
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			f := strings.Fields(lines.Text()) // sl local remote st tx:rx tr:tm retrnsmt uid timeout inode
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == stateListen {
				return "socket:[" + f[9] + "]", nil
			}
		}
	}
	return "", fmt.Errorf("nobody listens on port %s", port)
}

const (
	stateListen = "0A"
	ticks       = 100 // a second, of the processor time in /proc, on every machine
)

// readProcess reads /proc/PID.
func readProcess(dir string) (u usage, err error) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	_, after, _ := bytes.Cut(stat, []byte(") ")) // the name before it may hold anything
	f := strings.Fields(string(after))
	if len(f) < 22 {
		return u, fmt.Errorf("%s/stat has %d fields", dir, len(f))
	}
	user, uerr := strconv.ParseFloat(f[11], 64)
	system, serr := strconv.ParseFloat(f[12], 64)
	pages, perr := strconv.ParseFloat(f[21], 64)
	u.cpu, u.resident = (user+system)/ticks, pages*float64(os.Getpagesize())
	return u, errors.Join(uerr, serr, perr)
}
