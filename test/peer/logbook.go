package peer

import (
	"fmt"
	"sync"
)

// logLimit bounds what is kept of one program's output, in bytes.
const logLimit = 4 << 20

// logbook keeps the newest part of a program's output. Safe for concurrent use.
type logbook struct {
	mu      sync.Mutex // guards kept, dropped
	kept    []byte
	dropped int64 // bytes before kept
}

// Write appends to the book and never fails.
func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, b...)
	if over := len(l.kept) - logLimit; over > 0 {
		over = min(len(l.kept), over+logLimit/4) // a quarter more, so that a busy log is not moved at every write
		l.kept = l.kept[:copy(l.kept, l.kept[over:])]
		l.dropped += int64(over)
	}
	return len(b), nil
}

// position returns how many bytes were ever written.
func (l *logbook) position() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped + int64(len(l.kept))
}

// since returns what was written after position and is still kept.
func (l *logbook) since(position int64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept[max(0, position-l.dropped):])
}

// tail returns the last n bytes, after a line that says how many are missing.
func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := max(0, len(l.kept)-n)
	if missing := l.dropped + int64(from); missing > 0 {
		return fmt.Sprintf("… %d bytes before this are not kept\n%s", missing, l.kept[from:])
	}
	return string(l.kept)
}
