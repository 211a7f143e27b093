//go:build unix

package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/server"
)

func TestControlSocketIsItsUsersAloneAndMayEverything(t *testing.T) {
	none := access.None
	for what, dir := range map[string]string{"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("long/", 30))} {
		s, client := start(t, server.Options{Data: dir, Anonymous: &none})
		info, err := os.Lstat(filepath.Join(dir, server.ControlSocket))
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Fatalf("%s: %v, %v; want a socket that its user alone may open", what, info, err)
		}
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return server.DialControl(ctx, dir) }}
		local := &http.Client{Transport: transport}
		res, err := local.Post("http://muster/api/v1/tokens", "application/json", strings.NewReader(`{"name":"first","allow":["admin"]}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || res.StatusCode != http.StatusCreated || !strings.Contains(string(body), fmt.Sprintf(`"by":"local:%d"`, os.Getuid())) {
			t.Errorf("%s: answered %s %s, %v", what, res.Status, body, err)
		}
		res, err = client.Get(s.URL() + "/api/v1/tokens")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: by the network: %s", what, res.Status)
		}
	}
}

func TestControlSocketEndsWithTheServer(t *testing.T) {
	dir := t.TempDir()
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := server.DialControl(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

func TestSocketOfAKilledServerIsTakenAway(t *testing.T) {
	dir := t.TempDir()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, server.ControlSocket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	start(t, server.Options{Data: dir})
	conn, err := server.DialControl(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestFileInTheSocketsPlaceIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, server.ControlSocket)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(server.Options{Listen: "127.0.0.1:0", Data: dir})
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("opened with %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}
