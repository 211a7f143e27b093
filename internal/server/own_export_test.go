package server

// OwnPaths are the paths of the pages that belong to no face, as patterns of http.ServeMux.
func (s *Server) OwnPaths() []string {
	var out []string
	for _, p := range s.ownPages(newMetrics(s.store, s.probes)) {
		out = append(out, p.path)
	}
	return out
}
