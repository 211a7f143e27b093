package docs

import (
	"fmt"
	"strings"
	"time"
)

// Block is one console block of a page.
type Block struct {
	Line       int           // where its first fence stands, from 1
	Dir        string        // where it starts, below the shell's first directory; "" means where the shell is
	Timeout    time.Duration // of each command
	Background bool
	SkipOutput bool
	Commands   []Command
}

// Command is one command of a block and what it is said to print.
type Command struct {
	Line int // from 1
	Text string
	Want []string
}

// Parse returns the console blocks of a Markdown page.
//
// Errors: an unknown option, an option comment without a block, a block that does not end or starts with output, and shell commands in a
// block of another language, which nobody would run.
func Parse(page string) ([]Block, error) {
	var blocks []Block
	lines := strings.Split(strings.ReplaceAll(page, "\r\n", "\n"), "\n")
	options, optionsLine := "", 0
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" {
			continue
		}
		if text, ok := strings.CutPrefix(line, "<!-- console:"); ok {
			text, ok = strings.CutSuffix(text, "-->")
			if !ok {
				return nil, fmt.Errorf("line %d: the comment does not end on its line", i+1)
			}
			options, optionsLine = text, i+1
			continue
		}
		fence := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		language := strings.TrimSpace(line[len(fence):])
		if len(fence) < 3 || strings.Contains(language, "`") {
			if optionsLine > 0 {
				return nil, fmt.Errorf("line %d: no console block follows", optionsLine)
			}
			continue
		}
		end := i + 1
		for end < len(lines) && strings.TrimSpace(lines[end]) != fence {
			end++
		}
		if end == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", i+1)
		}
		switch language {
		case "console":
			b, err := parseBlock(lines[i+1:end], i+1, options)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, b)
		case "sh", "bash", "zsh", "shell", "shell-session":
			return nil, fmt.Errorf("line %d: a block of %s is not run; make it console", i+1, language)
		default:
			if optionsLine > 0 {
				return nil, fmt.Errorf("line %d: no console block follows", optionsLine)
			}
		}
		options, optionsLine = "", 0
		i = end
	}
	if optionsLine > 0 {
		return nil, fmt.Errorf("line %d: no console block follows", optionsLine)
	}
	return blocks, nil
}

// parseBlock reads the lines between two fences; line is where the first stands.
func parseBlock(lines []string, line int, options string) (Block, error) {
	b := Block{Line: line, Timeout: time.Minute}
	for _, option := range strings.Fields(options) {
		key, value, _ := strings.Cut(option, "=")
		switch {
		case key == "dir" && value != "":
			b.Dir = value
		case key == "timeout" && value != "":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return b, fmt.Errorf("line %d: option %s: want a time such as 90s", line, option)
			}
			b.Timeout = d
		case option == "background":
			b.Background = true
		case option == "skip-output":
			b.SkipOutput = true
		default:
			return b, fmt.Errorf("line %d: unknown option %s; there are dir=D, timeout=T, background, skip-output", line, option)
		}
	}
	goesOn := false
	for i, raw := range lines {
		text := strings.TrimSpace(raw)
		last := len(b.Commands) - 1
		command, starts := strings.CutPrefix(text, "$ ")
		more, follows := strings.CutPrefix(text, "> ")
		switch {
		case goesOn:
			if !follows {
				more = raw
			}
			b.Commands[last].Text += "\n" + more
			goesOn = strings.HasSuffix(text, `\`)
		case starts:
			b.Commands = append(b.Commands, Command{Line: line + 1 + i, Text: command})
			goesOn = strings.HasSuffix(text, `\`)
		case last < 0 && text != "":
			return b, fmt.Errorf("line %d: output before the first command; commands start with \"$ \"", line+1+i)
		case follows && len(b.Commands[last].Want) == 0:
			b.Commands[last].Text += "\n" + more
			goesOn = strings.HasSuffix(text, `\`)
		case text != "":
			b.Commands[last].Want = append(b.Commands[last].Want, text)
		}
	}
	if len(b.Commands) == 0 {
		return b, fmt.Errorf("line %d: a console block without a command; commands start with \"$ \"", line)
	}
	return b, nil
}

// Matches reports whether output is what the lines of want describe.
func Matches(want []string, output string) bool {
	var got []string
	for line := range strings.Lines(output) {
		if line = blanks(line); line != "" {
			got = append(got, line)
		}
	}
	return match(len(want), len(got),
		func(i int) bool { return want[i] == "…" },
		func(i, j int) bool { return matchLine(blanks(want[i]), got[j]) })
}

// matchLine reports whether a line is what a pattern describes.
func matchLine(pattern, line string) bool {
	p, l := []rune(pattern), []rune(line)
	return match(len(p), len(l),
		func(i int) bool { return p[i] == '…' },
		func(i, j int) bool { return p[i] == l[j] })
}

// match reports whether n pattern elements describe m given ones, where any(i) says that an element stands for any number of them
// and same(i, j) that it stands for the one. It takes n·m steps at most.
func match(n, m int, any func(i int) bool, same func(i, j int) bool) bool {
	reached := make([]bool, m+1) // reached[j]: the elements so far describe the first j
	reached[0] = true
	for i := range n {
		next := make([]bool, m+1)
		for j := range next {
			switch {
			case any(i):
				next[j] = reached[j] || j > 0 && next[j-1]
			case j > 0:
				next[j] = reached[j-1] && same(i, j-1)
			}
		}
		reached = next
	}
	return reached[m]
}

// blanks makes each run of white space one blank.
func blanks(s string) string { return strings.Join(strings.Fields(s), " ") }
