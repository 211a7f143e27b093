package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/test/docs"
	"github.com/muster-go/muster/test/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a page in a shell of its own and returns what went wrong.
func run(t *testing.T, page string) error {
	t.Helper()
	blocks, err := docs.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_LEAKED", "from the run")
	s := docs.NewShell(t, t.TempDir(), nil)
	for _, b := range blocks {
		if err := s.Run(b); err != nil {
			return err
		}
	}
	return nil
}

func console(lines ...string) string {
	return "```console\n" + strings.Join(lines, "\n") + "\n```\n"
}

func TestBlocksOfAPageShareOneShell(t *testing.T) {
	page := console("$ mkdir -p a/b && cd a", "$ X=1") +
		console("$ pwd", "…/a", "$ echo $X 'a  b'", "1 a b") +
		"<!-- console: dir=a/b -->\n" + console("$ basename $PWD", "b") +
		console("$ cat; echo read nothing", "read nothing", "$ cat <<E", "> one", "> E", "one") +
		console("$ echo ${MUSTER_LEAKED-none}", "none", "$ printf 'no end'", "no end", "$ echo anything")
	if err := run(t, page); err != nil {
		t.Error(err)
	}
}

func TestPageThatIsNotTrueFails(t *testing.T) {
	for page, want := range map[string]string{
		console("$ echo one", "two"):                  "line 2: $ echo one\nnot what the page says:\ntwo; it printed:\none\n",
		console("$ echo one; echo two", "one"):        "not what the page says",
		console("$ true", "$ echo why >&2; (exit 3)"): "line 3: $ echo why >&2; (exit 3)\nexit status 3; it printed:\nwhy\n",
		console("$ no-such-command"):                  "exit status 127",
		console("$ if"):                               "syntax error",
		console("$ exit 0"):                           "it ended the shell",
		"<!-- console: timeout=50ms -->\n" + console("$ read -t 30 < <(sleep 30)"): "still running after 50ms",
		"<!-- console: dir=nowhere -->\n" + console("$ true"):                      "exit status 1",
		"<!-- console: timeout=50ms -->\n" + console("$ echo one &", "two"):        "after 50ms it has not printed what the page says:\ntwo; it printed:\none",
	} {
		t.Run("", func(t *testing.T) {
			if err := run(t, page); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s\n got: %v\nwant: %s", page, err, want)
			}
		})
	}
}

func TestSkipOutputStillWantsSuccess(t *testing.T) {
	if err := run(t, "<!-- console: skip-output -->\n"+console("$ echo one", "two")); err != nil {
		t.Error(err)
	}
	if err := run(t, "<!-- console: skip-output -->\n"+console("$ false", "two")); err == nil {
		t.Error("a command that failed passed")
	}
}

func TestBackgroundServerIsWaitedForAndEndsWithThePage(t *testing.T) {
	addr := peer.Loopback(peer.FreePort(t))
	_, port, _ := strings.Cut(addr, ":")
	server := "$ python3 -u -m http.server --bind 127.0.0.1 " + port
	for name, page := range map[string]string{
		"ampersand": console(server+" &", "Serving HTTP on …"),
		"option":    "<!-- console: background -->\n" + console(server, "Serving HTTP on …"),
		"own group": console("$ bash -c 'set -m; "+server[2:]+" & trap \"kill %1\" TERM; wait' &", "Serving HTTP on …"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("page", func(t *testing.T) {
				if err := run(t, page+console("$ curl -sf http://"+addr+"/ >page && echo got it", "got it", "$ kill -0 $!")); err != nil {
					t.Error(err)
				}
			})
			for began := time.Now(); peer.TCP(addr)(t.Context(), "") == nil; {
				if time.Since(began) > 10*time.Second {
					t.Fatal("the server outlived its page")
				}
			}
		})
	}
}

// TestEveryConsoleBlockRuns is what this package is for.
func TestEveryConsoleBlockRuns(t *testing.T) {
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	pages := pages(t, root)
	env := environment(t, root)
	muster := peer.MusterBinary(t)
	python := filepath.Dir(peer.Installed(t, "eureka"))
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			blocks := parse(t, filepath.Join(root, page))
			if len(blocks) == 0 {
				return
			}
			dir, home := t.TempDir(), t.TempDir()
			git(t, dir, "clone", "-q", env.clone, "clone")
			s := docs.NewShell(t, dir, append(env.vars, "HOME="+home, "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=",
				"PATH="+strings.Join([]string{filepath.Dir(muster), python, os.Getenv("PATH")}, string(filepath.ListSeparator))))
			for _, b := range blocks {
				b.Commands = slices.DeleteFunc(b.Commands, runsThisTest)
				if err := s.Run(b); err != nil {
					t.Fatalf("%s: %v", page, err)
				}
			}
		})
	}
}

func TestReadmesShowTheSameCommands(t *testing.T) {
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	english, chinese := commands(t, filepath.Join(root, "README.md")), commands(t, filepath.Join(root, "README.zh-CN.md"))
	for i := range max(len(english), len(chinese)) {
		switch {
		case i >= len(english):
			t.Fatalf("README.md ends before command %d of README.zh-CN.md: $ %s", i+1, chinese[i])
		case i >= len(chinese):
			t.Fatalf("README.zh-CN.md ends before command %d of README.md: $ %s", i+1, english[i])
		case english[i] != chinese[i]:
			t.Fatalf("command %d is\n$ %s\nin README.md, and\n$ %s\nin README.zh-CN.md", i+1, english[i], chinese[i])
		}
	}
	if len(english) == 0 {
		t.Error("README.md shows no command")
	}
}

// runsThisTest reports whether a command is one of those that run this very test: here they would never end.
func runsThisTest(c docs.Command) bool {
	words := strings.Fields(strings.TrimPrefix(c.Text, "INSTALL=0 "))
	return slices.Equal(words, []string{"make", "test"}) || slices.Equal(words, []string{"make", "test-docs"}) || slices.Equal(words, []string{".ci/run"})
}

// pages returns README.md, its translations and every page of docs.
func pages(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	for _, file := range strings.Split(git(t, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "README*.md", "docs/*.md"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, file)); file != "" && err == nil {
			found = append(found, file)
		}
	}
	return found
}

func parse(t *testing.T, file string) []docs.Block {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docs.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return blocks
}

func commands(t *testing.T, file string) []string {
	t.Helper()
	var all []string
	for _, b := range parse(t, file) {
		for _, c := range b.Commands {
			all = append(all, c.Text)
		}
	}
	return all
}

// reader is what a reader of the pages has on the machine.
type reader struct {
	clone string   // a repository that holds the tree with its uncommitted changes
	vars  []string // environment
}

// environment clones the tree and points the project's public address at the clone. Go's caches stay where they are, although HOME does not.
func environment(t *testing.T, root string) reader {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "muster")
	git(t, root, "clone", "-q", "--no-hardlinks", root, clone)
	for _, file := range strings.Split(git(t, root, "ls-files", "-z", "--deleted"), "\x00") {
		if file != "" {
			_ = os.Remove(filepath.Join(clone, file)) // it may be gone from HEAD as well
		}
	}
	for _, file := range strings.Split(git(t, root, "ls-files", "-z", "--modified", "--cached", "--others", "--exclude-standard"), "\x00") {
		if file != "" {
			copyFile(t, filepath.Join(root, file), filepath.Join(clone, file))
		}
	}
	git(t, clone, "add", "-A")
	git(t, clone, "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "--allow-empty", "-m", "the tree under test")
	r := reader{clone: clone, vars: []string{
		"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=url." + clone + ".insteadOf", "GIT_CONFIG_VALUE_1=https://github.com/muster-go/muster",
	}}
	for _, name := range []string{"GOENV", "GOPATH", "GOMODCACHE", "GOCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		r.vars = append(r.vars, name+"="+strings.TrimSpace(string(value)))
	}
	return r
}

// copyFile copies a file with its permissions; one that was deleted meanwhile is not there to copy.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Lstat(from)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() {
		return // a nested repository or a link: git shows it, a reader's clone has it from HEAD
	}
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, text, info.Mode().Perm())
	}
	if err == nil {
		err = os.Chmod(to, info.Mode().Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
