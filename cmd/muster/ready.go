package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster"
)

func (c *cli) readyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ready",
		Short: "Say whether the server on this machine takes requests",
		Long: `Asks the muster serve of this machine, or of this container, whether it takes requests: its data are loaded, and
it does not stop. It is found by the settings that serve has (MUSTER_LISTEN), and no token is needed.

This is the health check of a container in which there is neither a shell nor curl.`,
		Example: `  muster ready
  MUSTER_LISTEN=:9000 muster ready`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.ready(cmd.Context()) },
	}
}

func (c *cli) ready(ctx context.Context) error {
	host, port, err := net.SplitHostPort(c.text("serve.listen"))
	if err != nil {
		return usage("serve.listen is %q; host:port is meant, such as 127.0.0.1:8761", c.text("serve.listen"))
	}
	scheme := "http"
	if c.text("serve.tls-cert") != "" {
		scheme = "https"
	}
	url := scheme + "://" + net.JoinHostPort(nearby(host), port) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, c.duration("timeout"))
	defer cancel()
	said, err := askReady(ctx, url)
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
