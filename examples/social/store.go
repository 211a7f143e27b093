package social

import (
	"context"
	"encoding/json"
)

// Store keeps what the services share. Implementations are safe for concurrent use, and each method is atomic.
//
// In Redis the users are the hash "users" (email → id) and the hash "users_data" (id → JSON of the whole request), as the
// sample has them; comments and pushes are lists.
//
// Every method that adds takes a key. The first use of a key decides; a later one gets the same answer and adds nothing, or a
// Conflict if it asks for something else.
type Store interface {
	// User returns what a user registered with, or nil. Errors: Unavailable, Timeout.
	User(ctx context.Context, id string) (json.RawMessage, error)

	// AddUser gives an email an id that nobody else has. When the email is registered it returns that id, and added is false.
	// Errors: Conflict, Unavailable, Timeout.
	AddUser(ctx context.Context, key, email string, data json.RawMessage) (id string, added bool, err error)

	// AddComment gives a comment an id and keeps it. Errors: Conflict, Unavailable, Timeout.
	AddComment(ctx context.Context, key string, c Comment) (Comment, error)

	// AddPush notes that an author was told. Errors: Conflict, Unavailable, Timeout.
	AddPush(ctx context.Context, key string, p Push) error

	// Comments returns every comment in the order they were added. Errors: Unavailable, Timeout.
	Comments(ctx context.Context) ([]Comment, error)
}

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
