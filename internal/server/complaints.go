package server

import (
	"context"
	"log/slog"
	"strings"
)

// complaints hands on what net/http has to say. That a handler panicked or that connections cannot be taken is an error which an
// operator must see; what clients do wrong is not, or any of them could fill the log.
type complaints struct {
	log    *slog.Logger
	denied func(remote, why string) // hears of clients' certificates that are not believed
}

// Write takes one complaint. Source: net/http, Server.Serve ("Accept error") and conn.serve ("panic serving").
func (c complaints) Write(b []byte) (int, error) {
	text, level := strings.TrimSpace(string(b)), slog.LevelDebug
	if rest, ok := strings.CutPrefix(text, "http: TLS handshake error from "); ok && strings.Contains(rest, unbelieved) {
		remote, why, _ := strings.Cut(rest, ": ")
		c.denied(remote, "its certificate is none that --client-ca vouches for: "+why)
		return len(b), nil
	}
	if strings.HasPrefix(text, "http: panic serving ") || strings.HasPrefix(text, "http: Accept error: ") {
		level = slog.LevelError
	}
	c.log.Log(context.Background(), level, text)
	return len(b), nil
}

// unbelieved is in what crypto/tls says when a client's certificate cannot be verified. Source: Conn.processCertsFromClient.
const unbelieved = "failed to verify certificate"
