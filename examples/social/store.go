package social

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/muster-go/muster"
)

// Store keeps what the services share, in hashes. Two of them are the sample's, so that its Python services can work on them too:
//
//	users        email → u_id
//	users_data   u_id → what was registered, whole, as json.dumps writes it
//	comments     comment_id → JSON of the Comment
//	pushes       the key it was added by → JSON of the Push
//	idempotency  key → JSON of what was asked under it (a digest), and of the id that it got
//	counters     "comment_id" → the last one given
//
// A Store is safe for concurrent use; so may be many Stores on the same hashes. Every method that adds takes a key, or "" for
// none. The first use of a key decides; a later one gets the same answer and adds nothing, or a Conflict if it asks for
// something else.
type Store struct {
	hashes Hashes
}

const (
	usersHash       = "users"
	usersDataHash   = "users_data"
	commentsHash    = "comments"
	pushesHash      = "pushes"
	idempotencyHash = "idempotency"
	countersHash    = "counters"
)

// Comment is a comment on an article.
type Comment struct {
	ID        int64  `json:"comment_id"`
	Key       string `json:"key"` // by which it was added
	UserID    string `json:"u_id"`
	AuthorID  string `json:"article_u_id"`
	ArticleID string `json:"article_id"`
	ParentID  string `json:"parent_comment_id"` // "" for none
	Content   string `json:"content"`
	Timestamp string `json:"timestamp"` // as the client wrote it
}

// Push is a notice to an author.
type Push struct {
	UserID   string `json:"u_id"`
	Language string `json:"language"`
	Country  string `json:"country"`
	Content  string `json:"content"`
}

// deed is what a key stands for.
type deed struct {
	Of      string `json:"of"` // a digest of what was asked
	User    string `json:"u_id,omitempty"`
	Comment int64  `json:"comment_id,omitempty"`
}

const (
	firstUser = 7_000_000 // the sample's range of ids
	lastUser  = 9_999_999
	tries     = 100 // to find an id that is free
)

// NewStore returns the store that is in some hashes.
func NewStore(h Hashes) *Store { return &Store{h} }

// User returns what a user registered with, or nil. Errors: Unavailable, Timeout, Internal (it is not JSON).
func (s *Store) User(ctx context.Context, id string) (json.RawMessage, error) {
	data, _, err := s.hashes.Get(ctx, usersDataHash, id)
	if err != nil || data == "" {
		return nil, err
	}
	if !json.Valid([]byte(data)) {
		return nil, broken(usersDataHash, id, errors.New("it is not JSON"))
	}
	return json.RawMessage(data), nil
}

// AddUser gives an email an id that nobody else has. When the email is registered it returns that id, and added is false.
//
// Errors: Invalid (data is not JSON), Conflict, Exhausted (no id is free), Unavailable, Timeout.
func (s *Store) AddUser(ctx context.Context, key, email string, data json.RawMessage) (id string, added bool, err error) {
	kept, err := dumps(data)
	if err != nil {
		return "", false, &muster.Error{Op: "register", Code: muster.Invalid, Err: err}
	}
	of := digest("user", email, kept)
	for range tries {
		id := strconv.Itoa(firstUser + mathrand.IntN(lastUser-firstUser+1))
		taken, err := s.add(ctx, key, deed{Of: of, User: id}, Field{usersHash, email, id}, Field{usersDataHash, id, kept})
		switch {
		case err != nil:
			return "", false, err
		case taken == nil:
			return id, true, nil
		case taken.Hash == idempotencyHash:
			d, err := before(taken, of)
			return d.User, err == nil, err
		case taken.Hash == usersHash:
			return taken.Value, false, nil
		}
	}
	return "", false, &muster.Error{Op: "register", Code: muster.Exhausted, Err: fmt.Errorf("%d user ids drawn in a row are taken", tries)}
}

// AddComment gives a comment an id and keeps it. Ids are the seconds of now, or the next number that is free.
//
// Errors: Conflict, Exhausted (no id is free), Unavailable, Timeout.
func (s *Store) AddComment(ctx context.Context, key string, c Comment) (Comment, error) {
	of := digest("comment", c.UserID, c.AuthorID, c.ArticleID, c.ParentID, c.Content, c.Timestamp)
	c.Key = key
	for range tries {
		var err error
		if c.ID, err = s.hashes.Next(ctx, countersHash, "comment_id", time.Now().Unix()); err != nil {
			return Comment{}, err
		}
		taken, err := s.add(ctx, key, deed{Of: of, Comment: c.ID}, Field{commentsHash, strconv.FormatInt(c.ID, 10), encode(c)})
		switch {
		case err != nil:
			return Comment{}, err
		case taken == nil:
			return c, nil
		case taken.Hash == idempotencyHash:
			d, err := before(taken, of)
			if err != nil {
				return Comment{}, err
			}
			c.ID = d.Comment // the rest is the same, or the digest would differ
			return c, nil
		}
	}
	return Comment{}, &muster.Error{Op: "comment", Code: muster.Exhausted, Err: fmt.Errorf("%d comment ids in a row are taken", tries)}
}

// AddPush notes that an author was told. Errors: Conflict, Unavailable, Timeout.
func (s *Store) AddPush(ctx context.Context, key string, p Push) error {
	if key == "" {
		key = rand.Text()
	}
	f := Field{pushesHash, key, encode(p)}
	taken, err := s.hashes.Add(ctx, f)
	if err == nil && taken != nil && *taken != f {
		return conflict()
	}
	return err
}

// Comments returns every comment, sorted by id. Errors: Unavailable, Timeout, Internal (one cannot be read).
func (s *Store) Comments(ctx context.Context) ([]Comment, error) {
	all, err := list[Comment](ctx, s, commentsHash)
	slices.SortFunc(all, func(a, b Comment) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

// Pushes returns every push, in no order. Errors: Unavailable, Timeout, Internal (one cannot be read).
func (s *Store) Pushes(ctx context.Context) ([]Push, error) { return list[Push](ctx, s, pushesHash) }

// add adds fields, and with them what they are for if there is a key.
func (s *Store) add(ctx context.Context, key string, d deed, fields ...Field) (*Field, error) {
	if key != "" {
		fields = slices.Insert(fields, 0, Field{idempotencyHash, key, encode(d)})
	}
	return s.hashes.Add(ctx, fields...)
}

// before reads what was done under a key, and says whether it was the same.
func before(taken *Field, of string) (deed, error) {
	var d deed
	if err := json.Unmarshal([]byte(taken.Value), &d); err != nil {
		return deed{}, broken(taken.Hash, taken.Name, err)
	}
	if d.Of != of {
		return deed{}, conflict()
	}
	return d, nil
}

// list reads every value of a hash.
func list[T any](ctx context.Context, s *Store, hash string) ([]T, error) {
	all, err := s.hashes.All(ctx, hash)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(all))
	for name, value := range all {
		var v T
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			return nil, broken(hash, name, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// digest tells requests apart.
func digest(parts ...string) string {
	b, _ := json.Marshal(parts) // strings
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func conflict() error {
	return &muster.Error{Op: "store", Code: muster.Conflict, Err: errors.New("this Idempotency-Key was used for another request")}
}

func broken(hash, field string, err error) error {
	return &muster.Error{Op: "store", Code: muster.Internal, Err: fmt.Errorf("%s of the hash %s cannot be read: %w", field, hash, err)}
}

// encode writes a struct of strings and whole numbers, as everything in the hashes is written.
func encode(v any) string {
	b, _ := json.Marshal(v)
	kept, _ := dumps(b)
	return kept
}
