package main

import (
	"net"
	"strings"

	"github.com/muster-go/muster"
)

// withAddress gives the endpoints that name no host this one, the address of this machine or pod as others reach it. Without an
// address they stay, and the registry's route decides.
func withAddress(ends []muster.Endpoint, address string) ([]muster.Endpoint, error) {
	if address == "" {
		return ends, nil
	}
	if net.ParseIP(address) == nil && strings.ContainsAny(address, ":/[]@ ") {
		return nil, usage("address %q is neither an IP address nor a name; the port belongs into --url", address)
	}
	out := make([]muster.Endpoint, len(ends))
	for i, end := range ends {
		host, port, err := net.SplitHostPort(end.Address)
		if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
			end.Address = net.JoinHostPort(address, port)
		}
		out[i] = end
	}
	return out, nil
}
