package interop

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is one line of a program's log. Event says which fields count.
type entry struct {
	Event string  `json:"event"` // ready, request, call, view, did, error
	At    float64 `json:"at"`    // Unix seconds; all programs run on one machine

	// request, as the server saw it; call, as the caller did
	ID       string  `json:"id,omitempty"` // CALLER/WAY/NUMBER
	Method   string  `json:"method,omitempty"`
	Service  string  `json:"service,omitempty"`
	Via      string  `json:"via,omitempty"`
	Began    float64 `json:"began,omitempty"`    // when the caller was about to choose
	Instance string  `json:"instance,omitempty"` // who answered, in its own words
	Error    string  `json:"error,omitempty"`

	View   view   `json:"view,omitempty"`
	Status string `json:"status,omitempty"` // view, of Spring: its own status, as the server has it
	Number int    `json:"number,omitempty"` // did: the command's
}

// view is what one client sees: by service in capitals, then by instance ID.
type view map[string]map[string]seen

// seen is one instance in a view, in Eureka's words.
type seen struct {
	Status   string            `json:"status"` // the effective one
	Zone     string            `json:"zone"`
	Metadata map[string]string `json:"metadata"`
}

func (e *entry) at() time.Time    { return fromSeconds(e.At) }
func (e *entry) began() time.Time { return fromSeconds(e.Began) }

func fromSeconds(s float64) time.Time { return time.UnixMicro(int64(s * 1e6)) }
func seconds(t time.Time) float64     { return float64(t.UnixMicro()) / 1e6 }

// book writes a program's log. Safe for concurrent use.
type book struct {
	mu   sync.Mutex // guards the order of lines
	file *os.File
}

func openBook(path string) (*book, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &book{file: file}, nil
}

// log writes one line with one write: the file is whole even after kill -9.
func (b *book) log(e entry) {
	e.At = seconds(time.Now())
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // an entry always can be written as JSON
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		panic(err) // without its log the program is of no use
	}
}

// readBook returns a log from its beginning; a file that is not there yet is empty.
func readBook(t testing.TB, path string) []entry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var entries []entry
	for line := range strings.Lines(string(text)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			if !strings.HasSuffix(line, "\n") {
				break // being written
			}
			t.Fatalf("%s: %v in %q", path, err, line)
		}
		entries = append(entries, e)
	}
	return entries
}

// of keeps the entries of one kind.
func of(event string, entries []entry) []entry {
	var kept []entry
	for _, e := range entries {
		if e.Event == event {
			kept = append(kept, e)
		}
	}
	return kept
}
