package eurekaserver

import (
	"fmt"
	"net/http"
)

// Bounds on answers that are made for one reader alone, unlike the complete list, which all readers share. Without them readers that
// take their time would hold a copy of a large application each.
const (
	mostAlone   = 256 << 20 // bytes under way at one time; one answer may have more, if it is the only one
	perInstance = 2 << 10   // bytes, as far as can be said before the answer is made
)

// writeAlone answers with a document of n instances that is made for this reader, or with 503 while too many of those are under way.
func (s *Server) writeAlone(w http.ResponseWriter, r *http.Request, n int, build func() *document) {
	size := int64(n) * perInstance
	defer func() { s.alone.Add(-size) }()
	if others := s.alone.Add(size) - size; others > 0 && others+size > mostAlone {
		w.Header().Set("Retry-After", retryAfter)
		answerText(w, r, http.StatusServiceUnavailable, fmt.Sprintf("%d MiB of such answers are being read already; ask for the complete list, or again later", others>>20))
		return
	}
	doc := build()
	s.alone.Add(int64(doc.size) - size)
	size = int64(doc.size)
	s.write(w, r, http.StatusOK, doc)
}
