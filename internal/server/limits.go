package server

import (
	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/nativewire"
)

// mostPayers is how many are shown.
const mostPayers = 10

// limitStatus is what the native face shows of the limits.
func (s *Server) limitStatus() *nativewire.LimitStatus {
	config := s.opt.Limits
	if config == (limits.Config{}) {
		return nil
	}
	out := &nativewire.LimitStatus{Allowed: config.String(), Bytes: s.store.Bytes(), Payers: []nativewire.PayerStatus{}}
	for _, u := range s.limits.Nearest(mostPayers, s.quota) {
		out.Payers = append(out.Payers, nativewire.PayerStatus{Payer: u.Payer, Limit: u.Limit, Used: u.Used, Most: u.Most, Refused: u.Refused})
	}
	return out
}

// quota is what a payer has of what the store counts.
func (s *Server) quota(payer string) []limits.Usage {
	instances, bytes := s.store.Usage(payer)
	return []limits.Usage{
		{Limit: "instances", Used: int64(instances), Most: s.opt.Limits.Instances},
		{Limit: "metadata", Used: bytes, Most: s.opt.Limits.Metadata},
		{Limit: "namespaces", Used: int64(s.store.Founded(payer)), Most: s.opt.Limits.Namespaces},
	}
}
