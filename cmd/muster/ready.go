package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) readyCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Say whether the server on this machine takes requests",
		Long: `Asks the muster serve of this machine, or of this container, whether it takes requests: its data are loaded, and
it does not stop. It is found by the settings that serve has (MUSTER_LISTEN), or by --listen for a server that was started with
that flag; whether it speaks TLS is found out. No token is needed.

This is the health check of a container in which there is neither a shell nor curl.`,
		Example: `  muster ready
  MUSTER_LISTEN=:9000 muster ready
  muster ready --listen 10.0.0.5:8761`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.ready(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address that the server listens on; without it what serve would (MUSTER_LISTEN)")
	return cmd
}

func (c *cli) ready(ctx context.Context, listen string) error {
	listen = cmp.Or(listen, c.text("serve.listen"))
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return usage("the address is %q; host:port is meant, such as 127.0.0.1:8761", listen)
	}
	at := net.JoinHostPort(nearby(host), port) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	said, err := askReady(ctx, "https://"+at)
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
		said, err = askReady(ctx, "http://"+at)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w; where it listens is said by --listen or MUSTER_LISTEN", err)
	}
	if err != nil {
		return err
	}
	c.say("%s", said)
	return nil
}

// nearby is where a server that listens at host is reached from its own machine.
func nearby(host string) string {
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		return "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		return "::1"
	}
	return host
}

// askReady returns what /readyz says.
//
// Errors: Unavailable when nothing answers; otherwise that it is not ready, in its own words.
func askReady(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", &exitError{exitUsage, err}
	}
	// The server's certificate has its public names, and who asks here sends nothing secret and believes a word or two.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return "", &muster.Error{Op: "ready", Code: muster.Unavailable, Err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return "", &muster.Error{Op: "ready", Code: muster.Unavailable, Err: fmt.Errorf("%s: the answer broke off: %w", url, err)}
	}
	said := strings.TrimSpace(string(body))
	switch res.StatusCode {
	case http.StatusOK:
		return said, nil
	case http.StatusServiceUnavailable:
		return "", &exitError{exitFailed, errors.New("not ready: " + said)}
	}
	return "", &exitError{exitFailed, fmt.Errorf("%s answered %s: something else than muster serve listens there", url, res.Status)}
}
