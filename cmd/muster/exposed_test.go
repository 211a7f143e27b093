package main

import (
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
)

// A server that listens everywhere is asked by its own machine under a loopback address: it alone knows who else can reach it.
func TestStatusTellsThatOthersNeedNoTokenWhateverAddressWasAsked(t *testing.T) {
	t.Parallel()
	for listen, exposed := range map[string]bool{"0.0.0.0:0": true, "127.0.0.1:0": false} {
		log, all := new(output), access.All
		l := newLabWith(t, server.Options{Listen: listen, Anonymous: &all, Version: version(), Log: slog.New(slog.NewTextHandler(log, nil))})
		_, port, err := net.SplitHostPort(l.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		res := l.must("status", "--registry", "muster://127.0.0.1:"+port)
		if told := strings.Contains(res.stderr+res.stdout, "may register and govern without a token (--anonymous all)"); told != exposed {
			t.Errorf("%s: %s%s", listen, res.stdout, res.stderr)
		}
		if told := strings.Contains(log.String(), "others than on this machine need no token"); told != exposed {
			t.Errorf("%s: the log says %s", listen, log)
		}
	}
}

func TestServeWithoutTLSEndsInOrderOnHangup(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP) // what is started while it is heard does not inherit that it be ignored, as under nohup
	defer signal.Stop(heard)
	l := newLab(t)
	p := l.program(nil, "serve", "--listen", "127.0.0.1:0", "--data", memoryData)
	await(t, "the server", func() bool { return strings.Contains(p.out.String(), "serves muster://") })
	p.Process.Signal(syscall.SIGHUP)
	if code := p.code(t); code != 0 || !strings.Contains(p.out.String(), "stopped in order") {
		t.Errorf("exit code %d: %s", code, p.out.String())
	}
}
