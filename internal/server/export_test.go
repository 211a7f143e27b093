package server

// Fresh is the number of connections that have asked nothing yet.
func (s *Server) Fresh() int64 { return s.fresh.waiting.Load() }
