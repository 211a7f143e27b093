package api

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/access"
)

// routeBackup adds copying all that the server keeps.
func (a *API) routeBackup(api huma.API) {
	op := huma.Operation{
		OperationID: "backup", Method: http.MethodGet, Path: pathBackup, Tags: []string{"server"}, Responses: problems(),
		Summary: "All that the server keeps, as one file",
		Description: "The data file as it is at one moment, for muster restore. It has what intents, tokens and audit say, tokens as hashes. " +
			"An answer that breaks off is no backup. What was registered until now is in it, unless the header " + behindHeader + " says why it is not.",
	}
	op.Responses["200"] = &huma.Response{
		Description: "The file",
		Headers: map[string]*huma.Param{behindHeader: {
			Description: "Why the file lacks instances registered or changed lately; absent: it lacks none",
			Schema:      &huma.Schema{Type: huma.TypeString},
		}},
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	a.byHand(api, op, to(access.Admin), a.backup)
}

// behindHeader is the header that says why a backup does not have everything.
const behindHeader = "Muster-Behind"

// maxBackups is how many are written at one time: each keeps pages of the file from being used again.
const maxBackups = 2

// backup writes the data file. What breaks off in the middle breaks the connection, so that nobody takes it for the whole.
func (a *API) backup(w http.ResponseWriter, r *http.Request, p *access.Principal) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	if a.backups.Add(1) > maxBackups {
		a.backups.Add(-1)
		writeError(w, &muster.Error{Op: "backup", Code: muster.Rejected, After: 10 * time.Second, Err: errors.New("other backups are being written")})
		return
	}
	defer a.backups.Add(-1)
	if err := a.auditBackup(r, p); err != nil && muster.CodeOf(err) != muster.Exhausted { // a full disk is when one is wanted most
		writeError(w, err)
		return
	}
	if err := a.store.Flush(r.Context()); err != nil { // a full disk, say: what the file has is wanted all the same
		w.Header().Set(behindHeader, oneLine(err.Error()))
		a.opt.Log.Warn("a backup lacks what was registered lately", "to", r.RemoteAddr, "err", err)
	}
	out := &steady{to: w, ctl: http.NewResponseController(w)}
	switch _, err := a.store.Backup(r.Context(), out); {
	case err != nil && !out.begun:
		writeError(w, err)
	case err != nil:
		a.opt.Log.Warn("a backup broke off", "to", r.RemoteAddr, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// oneLine is text as a header may have it.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, text)
}

// auditBackup records who takes all there is away.
func (a *API) auditBackup(r *http.Request, p *access.Principal) error {
	by := r.Header.Get("Muster-By")
	if len(by) > 256 || !utf8.ValidString(by) {
		return invalid("Muster-By has %d bytes, at most 256 of UTF-8 are allowed", len(by))
	}
	return a.store.Record(muster.AuditRecord{
		Op: "backup", Key: muster.Key{Namespace: muster.DefaultNamespace}, Proven: p.String(), Claimed: by, Detail: destination(r),
	})
}

// destination is where a backup goes, for the audit.
func destination(r *http.Request) string {
	if _, _, err := net.SplitHostPort(r.RemoteAddr); err != nil {
		return "over the control socket" // which has no address
	}
	return "to " + r.RemoteAddr
}

// steady writes to a client that must take each piece in time.
type steady struct {
	to    io.Writer
	ctl   *http.ResponseController
	begun bool
}

func (s *steady) Write(b []byte) (int, error) {
	s.begun = true
	_ = s.ctl.SetWriteDeadline(time.Now().Add(writeWithin)) // recorders in tests have none
	return s.to.Write(b)
}
