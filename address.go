package muster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
)

// fillHost gives an endpoint written as ":8080" or "0.0.0.0:8080" the address of this machine on the route to the back end.
// That it is a loopback address is right only if the back end is on this machine too; it is then said in the log.
func (r *Registry) fillHost(ctx context.Context, e *Endpoint) error {
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil || !wildcard(host) {
		return nil // Validate says what is wrong
	}
	router, ok := r.driver.(Router)
	if !ok {
		return invalid("endpoint %q names no host, and this back end has no route to take it from: write the host", e)
	}
	ip, err := router.LocalIP(ctx)
	if err != nil {
		return fmt.Errorf("endpoint %q names no host, and the route to the registry is not known (write the host): %w", e, err)
	}
	e.Address = net.JoinHostPort(ip.String(), port)
	if ip.IsLoopback() {
		r.log.LogAttrs(ctx, slog.LevelWarn, "the registry is reached over loopback: the address filled in works on this machine only",
			slog.String("endpoint", e.String()))
	}
	return nil
}
