package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

// units copies the unit files to a directory in which ExecStart names a program that is there.
func units(t *testing.T) (service, socket string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatalf("%v: scripts/setup installs it", err)
	}
	dir := t.TempDir()
	service, socket = filepath.Join(dir, "muster.service"), filepath.Join(dir, "muster.socket")
	text := read(t, "deploy", "systemd", "muster.service")
	there := strings.Replace(text, "ExecStart=/usr/bin/muster ", "ExecStart="+peer.MusterBinary(t)+" ", 1)
	if there == text {
		t.Fatal("ExecStart is not /usr/bin/muster, where the comment says that it belongs")
	}
	for path, text := range map[string]string{service: there, socket: read(t, "deploy", "systemd", "muster.socket")} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return service, socket
}

func TestSystemdFindsNothingWrongWithTheUnits(t *testing.T) {
	t.Parallel()
	service, socket := units(t)
	if out := output(t, "systemd-analyze", "verify", "--man=no", service, socket); strings.Contains(out, "muster") {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
}

// What the unit has as comments for operators to use is as good as the rest, where this systemd knows it.
func TestSystemdFindsNothingWrongWithTheSettingsForTLS(t *testing.T) {
	t.Parallel()
	service, socket := units(t)
	b, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`(?m)^#((?:LoadCredential|SupplementaryGroups|Environment)=)`)
	if n := len(option.FindAll(b, -1)); n != 5 {
		t.Errorf("%d lines are there to use, want 5", n)
	}
	if err := os.WriteFile(service, option.ReplaceAll(b, []byte("$1")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := output(t, "systemd-analyze", "verify", "--man=no", service, socket); strings.Contains(out, "muster") {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
}

// Five starts in vain within ten seconds are the end where nothing else is said: of the service, and then of its socket.
func TestSystemdTriesAgainUntilItStarts(t *testing.T) {
	text := read(t, "deploy", "systemd", "muster.service")
	unit, rest, _ := strings.Cut(text, "[Service]")
	if !strings.Contains(unit, "\nStartLimitIntervalSec=0\n") || !strings.Contains(rest, "\nRestart=on-failure\n") || !strings.Contains(rest, "\nRestartPreventExitStatus=2\n") {
		t.Error("systemd gives up, or tries what stays wrong")
	}
}

func TestSystemdRatesTheServiceAsWellConfined(t *testing.T) {
	service, _ := units(t)
	out := output(t, "systemd-analyze", "security", "--offline=true", "--no-pager", service)
	m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no level in:\n%s", out)
	}
	t.Logf("exposure level %s of 10, 0 is the best", m[1])
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2 {
		t.Errorf("exposure level %s, want at most 2:\n%s", m[1], out)
	}
}

// What the unit starts is a command that the binary understands, with the settings that it says.
func TestUnitStartsWhatTheBinaryUnderstands(t *testing.T) {
	m := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/muster (.+)$`).FindStringSubmatch(read(t, "deploy", "systemd", "muster.service"))
	if m == nil {
		t.Fatal("no ExecStart")
	}
	data := filepath.Join(t.TempDir(), "data")
	args := strings.Fields(strings.ReplaceAll(m[1], "%S/muster", data))
	p := peer.Start(t, peer.Command{
		Path: peer.MusterBinary(t), Args: args, Env: []string{"MUSTER_LISTEN=127.0.0.1:0"}, Ready: peer.Line("data in " + data),
	})
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
