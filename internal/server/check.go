package server

import (
	"context"
	"fmt"
	"net/http"
)

// Check has the server answer itself, past the network: /readyz and /healthz, through everything that requests pass, down to each
// namespace's locks. A process in which that hangs has to be started anew.
//
// Errors: the answer is a 5xx, as while it loads and when it stops.
func (s *Server) Check(ctx context.Context) error {
	for _, path := range []string{"/readyz", "/healthz"} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
		if err != nil {
			return err
		}
		r.RemoteAddr = s.Addr().String()
		w := &verdict{header: http.Header{}, code: http.StatusOK}
		s.Handler().ServeHTTP(w, r)
		if w.code >= http.StatusInternalServerError {
			return fmt.Errorf("%s answered %d", path, w.code)
		}
	}
	return nil
}

// verdict is a response of which only the status counts.
type verdict struct {
	header http.Header
	code   int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(code int)        { v.code = code }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
