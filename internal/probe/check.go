package probe

import (
	"crypto/tls"
	"net"
	"net/url"
	"strings"
)

// Kind is how a program is asked.
type Kind uint8

const (
	TCP  Kind = iota // its port takes a connection
	HTTP             // a GET is answered with 2xx; redirects are not followed
	GRPC             // grpc.health.v1.Health/Check answers SERVING
)

// Check is one question. It is a value; the zero one asks nothing sensible.
type Check struct {
	Kind    Kind
	Address string        // host:port that is connected to
	TLS     bool          // HTTPS, or gRPC over TLS
	Verify  bool          // with TLS: the certificate must be one that this machine trusts, for Address's host
	Path    string        // of HTTP, with its query; of gRPC the service that is asked about, "" is the whole server
	User    *url.Userinfo // of HTTP, for Basic; never shown
	Name    string        // what texts call it; "" is "GET /path", "connect to host:port" or "grpc health check"
}

// String is what texts call the check.
func (c Check) String() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Kind == HTTP:
		return "GET " + c.Path
	case c.Kind == GRPC && c.Path != "":
		return "grpc health check of " + c.Path
	case c.Kind == GRPC:
		return "grpc health check"
	}
	return "connect to " + c.Address
}

// url is the address as HTTP has it.
func (c Check) url() *url.URL {
	u := &url.URL{Scheme: "http", Host: c.Address, Path: grpcMethod}
	if c.TLS {
		u.Scheme = "https"
	}
	if c.Kind == HTTP {
		u.Path, u.RawQuery, _ = strings.Cut(c.Path, "?")
	}
	return u
}

// tls configures the handshake. Where nothing is verified nothing secret is sent, and the answer is a yes or a no.
func (c Check) tls() *tls.Config {
	host, _, _ := net.SplitHostPort(c.Address)
	return &tls.Config{ServerName: host, InsecureSkipVerify: !c.Verify}
}
