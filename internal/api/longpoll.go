package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/store"
)

// longPoll answers the list as soon as its revision is not the one that the client knows, or 304 when the wait is over; a
// refusal when the token was revoked meanwhile.
func (a *API) longPoll(ctx context.Context, w http.ResponseWriter, r *http.Request, q watchQuery) {
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	for {
		v := a.store.View(q.namespace)
		list := &listing{services: within(v, q.scope), revision: revisionOf(v, q.scope)}
		if list.revision != q.revision {
			w.Header().Set("ETag", strconv.Quote(list.revision))
			list.left = -1
			a.writeListing(w, r, list)
			return
		}
		if _, err := a.store.Wait(ctx, q.namespace, v.Seq); err != nil {
			if refused, ok := errors.AsType[*access.Refusal](context.Cause(ctx)); ok {
				writeError(w, refused)
				return
			}
			w.Header().Set("ETag", strconv.Quote(list.revision))
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
}

// revisionOf is the revision of a part of the view: a scope's is made of its services' newest change and their number, since
// the departure of one leaves no trace in the others.
func revisionOf(v *store.View, scope map[string]bool) string {
	if scope == nil {
		return revision(v.Epoch, v.Seq)
	}
	services := within(v, scope)
	var newest uint64
	for _, svc := range services {
		newest = max(newest, svc.Seq)
	}
	return revision(v.Epoch, newest) + "-" + strconv.Itoa(len(services))
}
