package remote

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster"
)

// script is a server on a pipe: it takes one request and then says lines, each after a pause, and no more.
func script(pause time.Duration, lines ...string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			r := bufio.NewReader(server)
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			for _, line := range lines {
				time.Sleep(pause)
				if _, err := server.Write([]byte(line)); err != nil {
					return
				}
			}
			_, _ = r.ReadByte() // until the client closes
		}()
		return client, nil
	}
}

const (
	head    = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	nothing = "event: reset\ndata: {\"services\":0,\"instances\":0}\n\nid: 1.1\nevent: sync\ndata: {}\n\n"
	confirm = "id: 1.1\nevent: confirm\ndata: {}\n\n"
)

func TestSilenceEndsAWatch(t *testing.T) {
	for name, x := range map[string]struct {
		lines []string
		want  time.Duration // until Watch ends
		says  string
	}{
		"no answer at all": {nil, DefaultTimeout, "no answer within"},
		"after the head":   {[]string{head}, time.Second + Liveness, "nothing came"},
		"after the list":   {[]string{head, nothing}, 2*time.Second + Liveness, "nothing came"},
		"confirmed twice":  {[]string{head, nothing, confirm, confirm}, 4*time.Second + Liveness, "nothing came"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := Open(Options{Hosts: []string{"h:1"}})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				d.http.Transport.(*http.Transport).DialContext = script(time.Second, x.lines...)
				start := time.Now()
				var first *muster.Table
				err = d.Watch(t.Context(), nil, nil, func(table *muster.Table) {
					if first == nil {
						first = table
					}
					if table != first {
						t.Error("a confirmation brought another table")
					}
				})
				if muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), x.says) {
					t.Errorf("Watch ended with %v, want unavailable and %q", err, x.says)
				}
				if took := time.Since(start); took != x.want {
					t.Errorf("it took %v, want %v", took, x.want)
				}
			})
		})
	}
}
