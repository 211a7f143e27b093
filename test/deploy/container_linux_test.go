package deploy

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
	"github.com/muster-go/muster/test/pki"
)

// image is what the Containerfile's last stage says.
type image struct {
	from       string
	env        []string
	volume     string
	user       string
	stop       string
	health     []string
	entrypoint []string
	cmd        []string
	run        []string // RUN lines, which would need a shell
}

func readImage(t testing.TB) image {
	t.Helper()
	list := func(s string) (out []string) {
		if err := json.Unmarshal([]byte(s), &out); err != nil {
			t.Fatalf("%s: %v; only the form without a shell works here", s, err)
		}
		return out
	}
	var im image
	for line := range strings.Lines(read(t, "deploy", "container", "Containerfile")) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "FROM":
			im = image{from: rest}
		case "ENV":
			im.env = append(im.env, strings.Fields(rest)...)
		case "VOLUME":
			im.volume = rest
		case "USER":
			im.user = rest
		case "STOPSIGNAL":
			im.stop = rest
		case "HEALTHCHECK":
			im.health = list(rest[strings.Index(rest, "["):])
		case "ENTRYPOINT":
			im.entrypoint = list(rest)
		case "CMD":
			im.cmd = list(rest)
		case "RUN":
			im.run = append(im.run, rest)
		}
	}
	return im
}

func TestImageHoldsTheBinaryAlone(t *testing.T) {
	im := readImage(t)
	if im.from != "scratch" || im.user != "65532:65532" || im.volume != "/data" || im.stop != "SIGTERM" || len(im.run) > 0 {
		t.Errorf("%+v", im)
	}
}

// box is an empty root, mounted read-only, with the static binary and /data: what a container of the image sees, and less, for there is
// neither /proc nor /dev nor /etc/resolv.conf.
type box struct {
	t    testing.TB
	root string
	data string
	env  []string
	user string
}

func newBox(t testing.TB) *box {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("mounts and another user need root: run it as make test does, as root")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // the user of the image passes through them
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	im := readImage(t)
	b := &box{t: t, root: filepath.Join(dir, "root"), data: filepath.Join(dir, "data"), env: im.env, user: im.user}
	for _, d := range []string{b.root, b.data, filepath.Join(b.root, "data")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(b.data, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(b.root, "muster"), "./cmd/muster")
	build.Dir, build.Env = file(t), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return b
}

// command is a program of the image, in the box. The environment is the image's own and env.
func (b *box) command(env []string, args ...string) peer.Command {
	const script = `set -e
root=$1 data=$2 user=$3
shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid,nodev "$root"
mount --bind "$data" "$root/data"
exec env -i "$@"`
	chroot, err := exec.LookPath("chroot") // env -i forgets PATH
	if err != nil {
		b.t.Fatal(err)
	}
	line := slices.Concat(
		[]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", b.root, b.data, b.user},
		b.env, env,
		[]string{chroot, "--userspec=" + b.user, "--groups=65532", b.root}, args,
	)
	return peer.Command{Name: strings.Join(args, " "), Path: "unshare", Args: line}
}

// run runs a command in the box to its end.
func (b *box) run(env []string, args ...string) (string, int) {
	b.t.Helper()
	c := b.command(env, args...)
	cmd := exec.Command(c.Path, c.Args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	if strings.Contains(string(out), "panic") || strings.Contains(string(out), "runtime error") {
		b.t.Errorf("%v: %s", args, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestStaticBinaryRunsAloneInAnEmptyReadOnlyRootAsNobodyInParticular(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if out, err := exec.Command("ldd", filepath.Join(b.root, "muster")).CombinedOutput(); err == nil || !strings.Contains(string(out), "not a dynamic executable") {
		t.Fatalf("ldd: %v %s: the binary needs libraries, and there are none", err, out)
	}
	im := readImage(t)
	addr := peer.Loopback(peer.FreePort(t))
	env := []string{"MUSTER_LISTEN=" + addr, "MUSTER_REGISTRY=muster://" + addr}

	if out, code := b.run(env, im.health...); code != 4 {
		t.Errorf("health check before the start: exit code %d, %s", code, out)
	}
	serve := b.command(env, append(im.entrypoint, im.cmd...)...)
	serve.Ready = peer.HTTP("http://" + addr + "/readyz")
	p := peer.Start(t, serve)
	if out, code := b.run(env, im.health...); code != 0 || out != "ok\n" {
		t.Errorf("health check: exit code %d, %s", code, out)
	}
	load := &callers{addr: addr}
	if code, err := load.register(fresh(), "a"); err != nil || code/100 != 2 {
		t.Errorf("register: HTTP %d, %v", code, err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"status"}, 0, "default"},
		{[]string{"instances", "LOAD"}, 0, "up"},
		{[]string{"disable", "LOAD", "a", "--why", "test", "--yes"}, 0, "Undo: muster undo"},
		{[]string{"audit"}, 0, "test"},
		{[]string{"config"}, 0, addr},
		{[]string{"version"}, 0, "linux"},
		{[]string{"services", "--registry", "muster://no-such-host.invalid:8761"}, 4, "no-such-host.invalid"},
		{[]string{"serve", "--listen", "127.0.0.1:0", "--data", "/elsewhere"}, 1, "read-only"},
		{[]string{"serve", "--listen", "127.0.0.1:0"}, 1, "another process holds it"},
	} {
		if out, code := b.run(env, append(im.entrypoint, c.args...)...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("muster %v: exit code %d, want %d and %q in:\n%s", c.args, code, c.code, c.want, out)
		}
	}
	b.run(env, "/muster", "doctor")
	for _, path := range []string{"/metrics", "/", "/healthz", "/api/v1/openapi.json", "/api/v1/docs"} {
		res, err := fresh().Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", path, res.Status)
		}
	}
	if code := p.Stop(); code != 0 || !strings.Contains(p.Log(), "stopped in order") {
		t.Errorf("stop: exit code %d", code)
	}
	if strings.Contains(p.Log(), "panic") {
		t.Error("it panicked")
	}

	kept, err := os.Stat(filepath.Join(b.data, "muster.db"))
	if err != nil || kept.Mode().Perm()&0o077 != 0 {
		t.Errorf("the data file: %v %v, want one that its user alone can read", kept, err)
	}
	p.Restart()
	if out, _ := b.run(env, "/muster", "instances", "LOAD"); !regexp.MustCompile(`out_of_service +disabled by`).MatchString(out) {
		t.Errorf("after a restart:\n%s", out)
	}
}

// As the image's own defaults have it: beyond loopback, so that nobody may do anything without a token, and with TLS.
func TestStaticBinaryMakesItsFirstTokenInTheBoxAndSpeaksTLS(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	pki.New(t, "ca").Files(b.data)
	port := strconv.Itoa(peer.FreePort(t))
	inside := []string{"MUSTER_LISTEN=0.0.0.0:" + port, "MUSTER_TLS_CERT=/data/cert.pem", "MUSTER_TLS_KEY=/data/key.pem"}
	env := append(slices.Clip(inside), "MUSTER_REGISTRY=musters://127.0.0.1:"+port+"?ca=/data/ca.pem")
	serve := b.command(env, "/muster", "serve")
	serve.Ready = peer.Line(" serves musters://")
	p := peer.Start(t, serve)
	await(t, "the health check", func() bool {
		_, code := b.run(env, readImage(t).health...)
		return code == 0
	})
	if out, code := b.run(env, "/muster", "services"); code != 5 {
		t.Errorf("without a token: exit code %d, want 5, denied:\n%s", code, out)
	}
	out, code := b.run(inside, "/muster", "token", "create", "ops", "--allow", "admin")
	token := regexp.MustCompile(`mst_\w+`).FindString(out)
	if code != 0 || token == "" {
		t.Fatalf("the first token: exit code %d:\n%s", code, out)
	}
	if out, code := b.run(append(env, "MUSTER_TOKEN="+token), "/muster", "status"); code != 0 {
		t.Errorf("with a token: exit code %d:\n%s", code, out)
	}
	if code := p.Stop(); code != 0 || strings.Contains(p.Log(), token) {
		t.Errorf("stop: exit code %d; the token is in the log: %t", code, strings.Contains(p.Log(), token))
	}
}
