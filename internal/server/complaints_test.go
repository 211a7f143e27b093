package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// tired refuses one connection, as the system does when no file is left, and takes the next.
type tired struct {
	net.Listener
	refused bool
}

func (l *tired) Accept() (net.Conn, error) {
	if !l.refused {
		l.refused = true
		return nil, &net.OpError{Op: "accept", Err: exhausted{errors.New("too many open files")}}
	}
	return l.Listener.Accept()
}

// exhausted is an error after which net/http tries again.
type exhausted struct{ error }

func (exhausted) Temporary() bool { return true }
func (exhausted) Timeout() bool   { return false }

func TestOnlyTheServersOwnTroubleReachesTheLog(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	srv := &http.Server{
		ReadHeaderTimeout: time.Second,
		ErrorLog:          log.New(complaints{log: slog.New(slog.NewTextHandler(&said, nil))}, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("a mistake of ours")
			}
			w.WriteHeader(200)
			w.WriteHeader(201) // net/http complains of it
		}),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(&tired{Listener: inner}) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/", "/panic"} {
		res, err := client.Get(fmt.Sprintf("http://%s%s", inner.Addr(), path))
		if err == nil {
			res.Body.Close()
		}
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-ended
	for _, want := range []string{"level=ERROR", "too many open files", "a mistake of ours"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log lacks %q: %s", want, said.String())
		}
	}
	if strings.Contains(said.String(), "superfluous") {
		t.Errorf("the log has what is not the operator's matter: %s", said.String())
	}
}
