package docs

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-go/muster/test/peer"
)

// bash is a shell in a network of its own where that is allowed (Linux, root), so that the ports which pages name are free whatever
// else runs on this machine. Elsewhere it is a plain one.
func bash() peer.Command {
	plain := []string{"--noprofile", "--norc"}
	if exec.Command("unshare", "--net", "true").Run() != nil {
		return peer.Command{Path: "bash", Args: plain}
	}
	return peer.Command{Path: "unshare", Args: append([]string{"--net", "bash"}, plain...)}
}

// connect brings up the loopback interface of a shell's own network.
func connect(shell peer.Command, pid int) error {
	if shell.Path == "bash" {
		return nil
	}
	path := fmt.Sprintf("/proc/%d/ns/net", pid)
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		theirs, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if theirs != ours {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the shell got no network of its own within 10 s")
		}
	}
	return loopbackUp(path)
}

// loopbackUp visits a network with its thread. The thread comes back, because children die with the thread that started them.
func loopbackUp(network string) (err error) {
	there, err := os.Open(network)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the shell's network: %w", err)
	}
	defer func() {
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			err = fmt.Errorf("come back from the shell's network: %w", back)
			return // the thread stays locked: nobody else may run in that network
		}
		runtime.UnlockOSThread()
	}()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}
