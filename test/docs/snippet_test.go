package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

// TestEveryGoBlockIsRealCode holds the Go of README and docs to code that is compiled and run: each block must stand in one of the examples,
// or in a driver's conformance test, line for line; indentation is free.
func TestEveryGoBlockIsRealCode(t *testing.T) {
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, file := range strings.Split(git(t, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "examples/*.go", "*example*_test.go", "*conformance_test.go"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, file))
		if file == "" || os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		examples[file] = flush(string(text))
	}
	found := 0
	for _, page := range pages(t, root) {
		if strings.HasPrefix(page, "docs/decisions/") {
			continue // they say what was weighed, not what is there
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range goBlocks(string(text)) {
			found++
			if !stands(block, examples) {
				t.Errorf("%s: no example contains this code:\n%s", page, block)
			}
		}
	}
	if found == 0 {
		t.Error("no page shows any Go")
	}
}

func TestGoBlocksAreFoundAndCompared(t *testing.T) {
	page := "text\n```go\nif ok {\n\treturn\n}\n```\n```console\n$ go version\n```\n```go\nb()\n```\n"
	blocks := goBlocks(page)
	if len(blocks) != 2 || blocks[0] != "if ok {\n\treturn\n}" || blocks[1] != "b()" {
		t.Fatalf("goBlocks: %q", blocks)
	}
	examples := map[string]string{"a.go": flush("func a() {\n\tif ok {\n\t\treturn\n\t}\n}\n")}
	if !stands(blocks[0], examples) {
		t.Error("the first block stands in a.go, indented, and was not found")
	}
	if stands(blocks[1], examples) || stands("return", map[string]string{"a.go": flush("return 1")}) {
		t.Error("code that no example contains as whole lines was found")
	}
}

// TestLinksLeadSomewhere checks the links of README and docs to files and folders of this tree.
func TestLinksLeadSomewhere(t *testing.T) {
	root, err := peer.Root()
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`) // code such as f[T](a, b) has blanks
	found := 0
	for _, page := range pages(t, root) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "" || strings.Contains(m[1], "://") {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", page, m[0], err)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a link")
	}
}

// goBlocks returns the text between the fences of each Go block of a page.
func goBlocks(page string) []string {
	var blocks []string
	for _, rest := range strings.Split("\n"+page, "\n```go\n")[1:] {
		block, _, _ := strings.Cut(rest, "\n```")
		blocks = append(blocks, block)
	}
	return blocks
}

// stands reports whether an example contains the lines of block.
func stands(block string, examples map[string]string) bool {
	for _, text := range examples {
		if strings.Contains(text, flush(block)) {
			return true
		}
	}
	return false
}

// flush takes the indentation away from text and puts each line between line ends.
func flush(text string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
		b.WriteByte('\n')
	}
	return b.String()
}
