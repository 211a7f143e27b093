package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/server"
	"github.com/muster-go/muster/registry/open"
)

// web asks muster serve what no driver asks: how it is, who may do what. It follows no redirect, so that nobody but the hosts
// is shown the token.
type web struct {
	hosts     []string // host:port; of the control socket its directory
	base      string   // "http://" or "https://"
	token     string
	local     bool // on this machine, where there is no host
	transport http.RoundTripper
}

// defaultPort is the port that a muster:// URL may leave out.
const defaultPort = "8761"

// servers is the web of the registry's hosts.
//
// Errors: Unsupported when the registry is no muster serve; Invalid.
func (c *cli) servers() (*web, error) {
	raw, _, err := c.registryURL()
	if err != nil {
		return nil, err
	}
	u, err := open.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "muster" || len(u.Hosts) == 0 {
		return nil, &muster.Error{Op: "status", Code: muster.Unsupported, Err: fmt.Errorf("only muster:// has a state to ask for, not %s", u)}
	}
	tls, err := u.TLSConfig()
	if err != nil {
		return nil, err
	}
	w := &web{base: "http://", transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: tls}}
	if tls != nil {
		w.base = "https://"
	}
	if c.open == nil { // else it was said when that was opened
		c.warnPlain(raw)
	}
	if w.token, err = u.Token(); err != nil {
		return nil, err
	}
	w.token = cmp.Or(w.token, c.text(tokenKey))
	for _, h := range u.Hosts {
		w.hosts = append(w.hosts, net.JoinHostPort(h.Name, cmp.Or(h.Port, defaultPort)))
	}
	return w, nil
}

// controlWeb is the web of the server that runs on a data directory of this machine, by its control socket.
func controlWeb(dir string) *web {
	return &web{hosts: []string{dir}, base: "http://", local: true, transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return server.DialControl(ctx, dir) },
	}}
}

// url is where a path of a host is.
func (w *web) url(host, path string) string {
	if w.local {
		host = "control" // a directory is no name of a host
	}
	return w.base + host + path
}

// ask sends one request; the caller closes the answer's body.
func (w *web) ask(ctx context.Context, method, host, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url(host, path), body)
	if err != nil {
		return nil, &muster.Error{Code: muster.Invalid, Err: err}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	return w.transport.RoundTrip(req)
}
