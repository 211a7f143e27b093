package bolt

import (
	"context"
	"errors"
	"io"

	"go.etcd.io/bbolt"
)

// Backup writes the file as it is at one moment, while writing goes on. Writers do not wait for it, unless the file outgrows
// what was reserved for it; see reserve.
//
// Errors: Unavailable, Closed, Internal (damaged), ctx.Err(), or what w answered.
func (j *Journal) Backup(ctx context.Context, w io.Writer) (int64, error) {
	if err := j.there(); err != nil {
		return 0, j.explain("back up", err)
	}
	return j.write(ctx, j.db, w)
}

func (j *Journal) write(ctx context.Context, db *bbolt.DB, w io.Writer) (n int64, err error) {
	out := &until{ctx: ctx, closed: j.ctx, to: w}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			n, err = tx.WriteTo(out)
			return err
		})
	})
	if out.err != nil {
		return n, out.err
	}
	return n, j.explain("back up", err)
}

// until is a writer until one of two contexts ends. It keeps its error, of which bbolt passes on the text alone.
type until struct {
	ctx    context.Context
	closed context.Context // the journal's
	to     io.Writer
	err    error
}

func (u *until) Write(b []byte) (n int, err error) {
	switch {
	case u.ctx.Err() != nil:
		u.err = u.ctx.Err()
	case u.closed.Err() != nil:
		u.err = errClosing
	default:
		n, u.err = u.to.Write(b)
	}
	return n, u.err
}

var errClosing = errors.New("the server is stopping")
