package social

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/muster-go/muster"
)

// Memory is a Store in memory. Its zero value is empty and ready to use.
type Memory struct {
	mu       sync.Mutex                 // guards what follows
	users    map[string]string          // email → id
	data     map[string]json.RawMessage // id → as registered
	comments []Comment
	pushes   []Push
	done     map[string]deed // by key
	lastID   int64
}

// deed is what a key stands for.
type deed struct {
	of      [sha256.Size]byte // what was asked
	user    string
	comment int // index
}

const (
	firstUser = 7_000_000 // the sample's range of ids
	lastUser  = 9_999_999
)

var _ Store = (*Memory)(nil)

// User implements Store.
func (m *Memory) User(_ context.Context, id string) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[id], nil
}

// AddUser implements Store.
func (m *Memory) AddUser(_ context.Context, key, email string, data json.RawMessage) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := digest("user", email, string(data))
	if d, ok, err := m.before(key, of); ok || err != nil {
		return d.user, ok, err
	}
	if id, ok := m.users[email]; ok {
		return id, false, nil
	}
	id, err := m.freeID()
	if err != nil {
		return "", false, err
	}
	if m.users == nil {
		m.users, m.data = make(map[string]string), make(map[string]json.RawMessage)
	}
	m.users[email], m.data[id] = id, slices.Clone(data)
	m.note(key, deed{of: of, user: id})
	return id, true, nil
}

// freeID draws an id, and takes the next free one if it is somebody's. m.mu is held.
func (m *Memory) freeID() (string, error) {
	const ids = lastUser - firstUser + 1
	if len(m.data) >= ids {
		return "", &muster.Error{Op: "register", Code: muster.Exhausted, Err: errors.New("every user id is taken")}
	}
	for n := rand.IntN(ids); ; n = (n + 1) % ids {
		id := strconv.Itoa(firstUser + n)
		if m.data[id] == nil {
			return id, nil
		}
	}
}

// AddComment implements Store. Ids are the seconds of now, or the next number that is free.
func (m *Memory) AddComment(_ context.Context, key string, c Comment) (Comment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := digest("comment", c.UserID, c.AuthorID, c.ArticleID, c.ParentID, c.Content, c.Timestamp)
	if d, ok, err := m.before(key, of); err != nil {
		return Comment{}, err
	} else if ok {
		return m.comments[d.comment], nil
	}
	m.lastID = max(m.lastID+1, time.Now().Unix())
	c.ID, c.Key = m.lastID, key
	m.comments = append(m.comments, c)
	m.note(key, deed{of: of, comment: len(m.comments) - 1})
	return c, nil
}

// AddPush implements Store.
func (m *Memory) AddPush(_ context.Context, key string, p Push) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := digest("push", p.UserID, p.Language, p.Country, p.Content)
	if _, ok, err := m.before(key, of); ok || err != nil {
		return err
	}
	m.pushes = append(m.pushes, p)
	m.note(key, deed{of: of})
	return nil
}

// Comments implements Store.
func (m *Memory) Comments(context.Context) ([]Comment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.comments), nil
}

// Pushes returns every push in the order they were added.
func (m *Memory) Pushes() []Push {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pushes)
}

// before returns what was done under a key, if anything was. m.mu is held.
func (m *Memory) before(key string, of [sha256.Size]byte) (deed, bool, error) {
	d, ok := m.done[key]
	if ok && d.of != of {
		return deed{}, false, &muster.Error{Op: "store", Code: muster.Conflict, Err: errors.New("this Idempotency-Key was used for another request")}
	}
	return d, ok, nil
}

func (m *Memory) note(key string, d deed) {
	if key == "" {
		return
	}
	if m.done == nil {
		m.done = make(map[string]deed)
	}
	m.done[key] = d
}

// digest tells requests apart.
func digest(parts ...string) [sha256.Size]byte {
	b, _ := json.Marshal(parts) // strings
	return sha256.Sum256(b)
}
