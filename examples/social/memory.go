package social

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/muster-go/muster"
)

// Memory is Hashes in memory. Its zero value is empty and ready to use.
type Memory struct {
	mu     sync.Mutex // guards hashes
	hashes map[string]map[string]string
}

var _ Hashes = (*Memory)(nil)

// Get implements Hashes.
func (m *Memory) Get(_ context.Context, hash, field string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.hashes[hash][field]
	return value, ok, nil
}

// All implements Hashes.
func (m *Memory) All(_ context.Context, hash string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]string, len(m.hashes[hash]))
	maps.Copy(all, m.hashes[hash])
	return all, nil
}

// Add implements Hashes.
func (m *Memory) Add(_ context.Context, fields ...Field) (*Field, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range fields {
		if value, ok := m.hashes[f.Hash][f.Name]; ok {
			return &Field{f.Hash, f.Name, value}, nil
		}
	}
	for _, f := range fields {
		m.set(f)
	}
	return nil, nil
}

// Next implements Hashes.
func (m *Memory) Next(_ context.Context, hash, field string, floor int64) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var last int64
	if value, ok := m.hashes[hash][field]; ok {
		var err error
		if last, err = strconv.ParseInt(value, 10, 64); err != nil {
			return 0, &muster.Error{Op: "store", Code: muster.Internal, Err: fmt.Errorf("%s of %s is not a number: %w", field, hash, err)}
		}
	}
	last = max(last+1, floor)
	m.set(Field{hash, field, strconv.FormatInt(last, 10)})
	return last, nil
}

// set writes a field. m.mu is held.
func (m *Memory) set(f Field) {
	if m.hashes == nil {
		m.hashes = make(map[string]map[string]string)
	}
	if m.hashes[f.Hash] == nil {
		m.hashes[f.Hash] = make(map[string]string)
	}
	m.hashes[f.Hash][f.Name] = f.Value
}
