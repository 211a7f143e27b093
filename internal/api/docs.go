package api

import (
	_ "embed"
	"net/http"

	"github.com/muster-go/muster/internal/access"
)

// docsPage reads openapi.json and shows it. It loads nothing from elsewhere.
//
//go:embed docs.html
var docsPage []byte

func serveDocs(w http.ResponseWriter, _ *http.Request, _ *access.Principal) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(docsPage) // the reader may be gone
}
