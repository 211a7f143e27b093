package docs_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/test/docs"
)

func TestParseFindsCommandsOutputAndOptions(t *testing.T) {
	page := strings.Join([]string{
		"# Title", "", "```go", "$ not a command", "```", "",
		"<!-- console: dir=clone timeout=90s background skip-output -->",
		"```console", "$ one \\", "    two", "said", "", "said … more", "$ three", "```",
		"1. in a list", "   ```console", "   $ cat <<E", "   > text", "   > E", "   text", "   ```",
	}, "\n")
	got, err := docs.Parse(page)
	want := []docs.Block{
		{
			Line: 8, Dir: "clone", Timeout: 90 * time.Second, Background: true, SkipOutput: true,
			Commands: []docs.Command{{Line: 9, Text: "one \\\n    two", Want: []string{"said", "said … more"}}, {Line: 14, Text: "three"}},
		},
		{Line: 17, Timeout: time.Minute, Commands: []docs.Command{{Line: 18, Text: "cat <<E\ntext\nE", Want: []string{"text"}}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Parse: %v\n got %+v\nwant %+v", err, got, want)
	}
}

func TestParseRefusesWhatWouldNotBeRun(t *testing.T) {
	for page, want := range map[string]string{
		"```console\n$ ls":                                   "line 1: the block does not end",
		"```console\noutput\n$ ls\n```":                      "line 2: output before the first command",
		"```console\n```":                                    "line 1: a console block without a command",
		"text\n```bash\nls\n```":                             "line 2: a block of bash is not run",
		"<!-- console: fast -->\n```console\n$ ls\n```":      "unknown option fast",
		"<!-- console: timeout=5 -->\n```console\n$ ls\n```": "option timeout=5",
		"<!-- console: dir=x -->\n\ntext":                    "line 1: no console block follows",
		"<!-- console: dir=x -->\n```go\n```":                "line 1: no console block follows",
		"<!-- console: dir=x -->":                            "line 1: no console block follows",
	} {
		if _, err := docs.Parse(page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %q in it", page, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want   string
		output string
		match  bool
	}{
		{"a\nb", "a\n\n  b\n", true},
		{"a\nb", "a\nb\nc\n", false},
		{"a\nb", "a\n", false},
		{"a b   c", "a   b c\n", true},
		{"… ms", "12 ms\n", true},
		{"took … ms, … calls", "took 1.5 ms, 1000 calls\n", true},
		{"took … ms", "took 1.5 s\n", false},
		{"…", "", true},
		{"…\nb\n…", "a\na\nb\nc\n", true},
		{"…\nb", "a\nb\nc\n", false},
		{"a", "", false},
		{"a…", "a\n", true},
	} {
		if got := docs.Matches(strings.Split(c.want, "\n"), c.output); got != c.match {
			t.Errorf("Matches(%q, %q) = %v, want %v", c.want, c.output, got, c.match)
		}
	}
}
