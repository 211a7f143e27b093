package debug

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
)

// breaker forces the breakers for a service of the clients that have called it.
func (h *Handler) breaker(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("service")
	want, force, err := readForce(r, name)
	if err != nil {
		refuse(w, err)
		return
	}
	out, err := h.force(name, want, force)
	if err != nil {
		refuse(w, err)
		return
	}
	if h.Log != nil {
		h.Log.LogAttrs(r.Context(), slog.LevelWarn, "breaker forced",
			slog.String("service", name), slog.String("force", want.Force), slog.String("by", want.By), slog.String("why", want.Why))
	}
	answer(w, out)
}

// force forces what can be forced.
//
// Errors: NotFound; those of [muster.Client.Force] when nothing could be.
func (h *Handler) force(service string, want *debugwire.Force, force muster.Force) (*debugwire.Forced, error) {
	out := &debugwire.Forced{PID: newProcess().PID}
	var failed error
	done := 0
	for i, c := range h.clients {
		if !calls(c, want.Namespace, service) {
			continue
		}
		one := debugwire.ForcedClient{Before: h.signed(i, service)}
		one.Service, one.Instance, _ = c.Identity()
		// Outside h.mu: the client tells its observer, whose code is the user's.
		if err := c.Force(service, force); err != nil {
			failed, one.Error = err, err.Error()
		} else {
			done++
			h.note(i, service, forced{force, want.By, want.Why, time.Now().UTC().Truncate(time.Second)})
		}
		one.After = h.signed(i, service)
		out.Clients = append(out.Clients, one)
	}
	switch {
	case len(out.Clients) == 0:
		return nil, neverCalled(service)
	case done == 0:
		return nil, failed
	}
	return out, nil
}

// signed reads a client's breaker and who forced it.
func (h *Handler) signed(client int, service string) debugwire.Breaker {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.clients[client].Breaker(service)
	out := debugwire.FromBreaker(&b)
	h.sign(client, service, b.Force, &out)
	return out
}

// note remembers who forced a breaker. There are at most as many as the clients have services.
func (h *Handler) note(client int, service string, f forced) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := breakerKey{client, muster.Fold(service)}
	if f.force == muster.Auto {
		delete(h.forced, key)
		return
	}
	h.forced[key] = f
}

// maxBody bounds what is asked, in bytes.
const maxBody = 8 << 10

// readForce reads what is asked of the breakers for a service.
//
// Errors: Invalid.
func readForce(r *http.Request, service string) (*debugwire.Force, muster.Force, error) {
	if err := muster.CheckService(service); err != nil {
		return nil, 0, err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, 0, invalid("Content-Type is %.100q, want application/json", r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, 0, invalid("the body broke off: %v", err)
	}
	if len(text) > maxBody {
		return nil, 0, invalid("the body has more than %d bytes", maxBody)
	}
	want, err := parseForce(text)
	if err != nil {
		return nil, 0, err
	}
	force, err := muster.ParseForce(want.Force)
	return want, force, err
}

// parseForce reads the body.
//
// Errors: Invalid.
func parseForce(text []byte) (*debugwire.Force, error) {
	if !utf8.Valid(text) {
		return nil, invalid("the body is not UTF-8")
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	want := new(debugwire.Force)
	if err := dec.Decode(want); err != nil {
		return nil, invalid(`the body is not of the shape {"force": "open", "by": "…", "why": "…"}: %v`, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("the body goes on after its end")
	}
	if len(want.By) > debugwire.MaxText || len(want.Why) > debugwire.MaxText {
		return nil, invalid("by or why is longer than %d bytes", debugwire.MaxText)
	}
	return want, nil
}

func invalid(format string, args ...any) error {
	return &muster.Error{Op: "debug", Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}

func denied(format string, args ...any) error {
	return &muster.Error{Op: "debug", Code: muster.Denied, Err: fmt.Errorf(format, args...)}
}

func neverCalled(service string) error {
	return &muster.Error{Op: "debug", Service: service, Code: muster.NotFound, Err: errors.New("no client that is shown here has called this service")}
}

func nothingAt(r *http.Request) error {
	return &muster.Error{Op: "debug", Code: muster.NotFound, Err: fmt.Errorf("%s %.200s: there is GET /, GET /services/{service} and POST /services/{service}/breaker", r.Method, r.URL.Path)}
}
