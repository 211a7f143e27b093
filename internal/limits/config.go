package limits

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Config is what an operator sets; 0 is no limit. The reasons for the numbers are in docs/decisions/0011-limits.md.
type Config struct {
	Instances   int64 // registered by one payer
	Metadata    int64 // bytes that the instances of one payer hold
	Namespaces  int64 // that one payer began, and that still hold something or did a few minutes ago
	Total       int64 // bytes that all instances hold
	Watchers    int64 // watch streams and long polls of one payer
	Requests    int64 // of one payer, per second; twice as many at once
	Connections int64 // in all; one address may have half of them
}

// Default returns what no honest user meets and what keeps a process alive that may have so many bytes of memory and so many files
// open. files 0 is not known.
func Default(memory int64, files uint64) Config {
	total := memory / 4 >> 20 << 20
	connections := min(max(memory/4/perConnection, 1024), 100_000)
	if files > 0 {
		connections = min(connections, max(int64(min(files, math.MaxInt32))-spareFiles, 16))
	}
	return Config{
		Instances:   250_000,
		Metadata:    total / 2 >> 20 << 20,
		Namespaces:  256,
		Total:       total,
		Watchers:    2_000,
		Requests:    20_000,
		Connections: connections,
	}
}

// PerInstance is what an instance takes beside what it brings, in bytes.
const PerInstance = 512

const (
	perConnection = 32 << 10 // bytes that a connection takes with its goroutine and its buffers
	spareFiles    = 64       // for the data file, logs and whatever else is open
)

// For returns options that go with the configuration, and with the memory that the process may have.
func (c Config) For(memory int64, processors int) Options {
	return Options{
		Requests:    int(c.Requests),
		Watchers:    int(c.Watchers),
		Connections: int(c.Connections),
		Inside:      int(min(max(memory/perRequest, 1024), 32<<10)),
		Bodies:      min(max(memory/16, 16<<20), 512<<20),
		Readers:     32 * processors,
	}
}

const perRequest = 128 << 10 // bytes that a request under way may take, with the piece of a list that waits for its reader

// limit is one of a Config's, by name.
type limit struct {
	name  string
	value *int64
	bytes int64 // it is a number of bytes, and none but 0 is less than this; 0: it is a plain number
}

// The least that is taken for bytes: with less, hardly anything could be registered, and a unit was forgotten.
const (
	leastMetadata = 64 << 10
	leastTotal    = 1 << 20
)

func (c *Config) limits() []limit {
	return []limit{
		{"instances", &c.Instances, 0},
		{"metadata", &c.Metadata, leastMetadata},
		{"namespaces", &c.Namespaces, 0},
		{"total", &c.Total, leastTotal},
		{"watchers", &c.Watchers, 0},
		{"requests", &c.Requests, 0},
		{"connections", &c.Connections, 0},
	}
}

// With returns the configuration with what text sets, such as "watchers=500,total=2GiB,requests=none". "none" alone lifts
// every limit. The metadata of one payer is half of a total that is set, unless it is set too.
//
// Errors: an unknown name, or a value that is no number, or too few bytes.
func (c Config) With(text string) (Config, error) {
	if strings.TrimSpace(text) == "none" {
		return Config{}, nil
	}
	limits := c.limits()
	set := map[string]bool{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, value, _ := strings.Cut(part, "=")
		i := slices.IndexFunc(limits, func(l limit) bool { return l.name == name })
		if i < 0 {
			return c, fmt.Errorf("limit %q is not known; there are %s, and none for no limit at all", name, names(limits))
		}
		n, err := parse(value, limits[i].bytes)
		if err != nil {
			return c, fmt.Errorf("limit %s: %w", name, err)
		}
		*limits[i].value = n
		set[name] = true
	}
	if set["total"] && !set["metadata"] && c.Total > 0 {
		c.Metadata = c.Total / 2
	}
	return c, nil
}

// String writes the configuration as With reads it.
func (c Config) String() string {
	var parts []string
	for _, l := range c.limits() {
		value := strconv.FormatInt(*l.value, 10)
		switch {
		case *l.value == 0:
			value = "none"
		case l.bytes > 0 && *l.value%(1<<20) == 0:
			value = strconv.FormatInt(*l.value>>20, 10) + "MiB"
		}
		parts = append(parts, l.name+"="+value)
	}
	return strings.Join(parts, ",")
}

// units of bytes, as suffixes; the longer ones first.
var units = [...]struct {
	suffix string
	shift  int
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"K", 10}, {"M", 20}, {"G", 30}}

const most = 1 << 50 // more than that is a mistake in typing

func parse(text string, least int64) (int64, error) {
	if text == "none" {
		return 0, nil
	}
	digits, shift := text, 0
	if least > 0 {
		for _, u := range units {
			if before, ok := strings.CutSuffix(text, u.suffix); ok {
				digits, shift = before, u.shift
				break
			}
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > most>>shift {
		what := "a whole number"
		if least > 0 {
			what = "a number of bytes such as 512MiB"
		}
		return 0, fmt.Errorf("%q is not %s, nor none", text, what)
	}
	if n <<= shift; n > 0 && n < least {
		return 0, fmt.Errorf("%q is %d bytes, at least %d KiB are meant, such as 512MiB; an instance takes %d and what it brings", text, n, least>>10, PerInstance)
	}
	return n, nil
}

func names(limits []limit) string {
	var out []string
	for _, l := range limits {
		out = append(out, l.name)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return strings.Join(out, ", ")
}
