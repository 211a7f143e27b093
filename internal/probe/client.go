package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Client asks. The zero value asks anybody, with DefaultTimeout. It keeps nothing between two questions: each has a connection
// of its own, for whoever takes no new ones is not well.
type Client struct {
	Timeout time.Duration                                             // of a question in all; 0 means DefaultTimeout
	Control func(network, address string, conn syscall.RawConn) error // as net.Dialer's: sees each address, resolved, before it is connected to
}

// DefaultTimeout is how long a program has to answer.
const DefaultTimeout = 2 * time.Second

// agent is the User-Agent, by which the asked may tell such requests from others.
const agent = "muster-health"

// What is read of an answer. The status decides; the rest is read so that the other side sees an orderly end.
const (
	maxHeader = 16 << 10
	maxBody   = 64 << 10
)

// Ask asks once. It is nil when the answer is that all is well; else its text says what was asked and what came back, in words
// that may hold bytes of the answer: show them through [Clean].
//
// Errors: ctx.Err() when ctx ended, which says nothing about the program; a [*Refused] of Control; anything else is the answer.
func (c *Client) Ask(ctx context.Context, check Check) error {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	switch check.Kind {
	case TCP:
		err = c.connect(within, check)
	case HTTP:
		err = c.get(within, check)
	case GRPC:
		err = c.checkGRPC(within, check)
	}
	switch refused, ok := errors.AsType[*Refused](err); {
	case err == nil:
		return nil
	case ok:
		return refused
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s: no answer within %s", check, timeout)
	}
	return err
}

func (c *Client) connect(ctx context.Context, check Check) error {
	conn, err := c.dial(ctx, "tcp", check.Address)
	if err != nil {
		return fmt.Errorf("%s: %w", check, plain(err))
	}
	return conn.Close()
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: c.Control, KeepAlive: -1}
	return d.DialContext(ctx, network, address)
}

// get speaks HTTP/1.1 by itself: net/http's Transport logs what comes unasked, and whoever is asked chooses that.
func (c *Client) get(ctx context.Context, check Check) error {
	res, end, err := c.exchange(ctx, check)
	if err != nil {
		return fmt.Errorf("%s: %w", check, plain(err))
	}
	defer end()
	if res.StatusCode/100 == 2 {
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)) // it is well, whatever comes of this
		return nil
	}
	if to := res.Header.Get("Location"); res.StatusCode/100 == 3 && to != "" {
		return fmt.Errorf("%s answered %s to %.80q; redirects are not followed, so name where it leads", check, res.Status, to)
	}
	return fmt.Errorf("%s answered %s", check, res.Status)
}

// exchange sends a GET and reads the head of the answer.
func (c *Client) exchange(ctx context.Context, check Check) (res *http.Response, end func(), err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, check.url().String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", agent)
	req.Close = true
	if check.User != nil {
		password, _ := check.User.Password()
		req.SetBasicAuth(check.User.Username(), password)
	}
	conn, err := c.dial(ctx, "tcp", check.Address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	end = func() {
		stop()
		conn.Close()
	}
	if res, err = converse(ctx, conn, req, check); err != nil {
		end()
		return nil, nil, err
	}
	return res, end, nil
}

func converse(ctx context.Context, conn net.Conn, req *http.Request, check Check) (*http.Response, error) {
	if check.TLS {
		secured := tls.Client(conn, check.tls())
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secured
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxHeader+maxBody))
	for {
		res, err := http.ReadResponse(r, req)
		if errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
			return nil, errors.New("the connection was closed without an answer, or the answer is too long")
		}
		if err != nil || res.StatusCode/100 != 1 {
			return res, err
		}
	}
}

// roundTrip sends req by HTTP/2 over a connection of its own, which end closes.
func (c *Client) roundTrip(req *http.Request, check Check, protocols *http.Protocols) (res *http.Response, end func(), err error) {
	req.Header.Set("User-Agent", agent)
	t := &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        check.tls(),
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	res, err = t.RoundTrip(req)
	if err != nil {
		t.CloseIdleConnections()
		return nil, nil, err
	}
	return res, func() {
		res.Body.Close()
		t.CloseIdleConnections()
	}, nil
}

// plain strips what the check's name says already, and adds what can be done.
func plain(err error) error {
	if unknown, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w; a program on this machine is best asked at 127.0.0.1, where certificates are not verified; for another one set SSL_CERT_FILE to its CA", unknown.Err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return err
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	if sys, ok := errors.AsType[syscall.Errno](err); ok {
		return sys
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
