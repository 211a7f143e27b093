package peer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Ready returns nil when a program can be used. It is asked every 10 ms; log is what the program wrote since this start.
type Ready func(ctx context.Context, log string) error

// HTTP is ready when a GET of url is answered with a 2xx status.
func HTTP(url string) Ready {
	return func(ctx context.Context, _ string) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		transport := &http.Transport{DisableKeepAlives: true}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("GET %s: %s", url, res.Status)
		}
		return nil
	}
}

// TCP is ready when addr (host:port) accepts a connection.
func TCP(addr string) Ready {
	return func(ctx context.Context, _ string) error {
		d := net.Dialer{Timeout: time.Second}
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Line is ready when the program wrote a line that contains text.
func Line(text string) Ready {
	return func(_ context.Context, log string) error {
		for line := range strings.Lines(log) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				return nil
			}
		}
		return fmt.Errorf("no line with %q in its output", text)
	}
}
