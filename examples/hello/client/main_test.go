package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-go/muster/test/peer"
)

// Both programs are built and run as a reader of the README would, against a real muster serve.
func TestTheClientGreetsThroughTheServer(t *testing.T) {
	serve := peer.Muster(t)
	registry := "muster://" + serve.Addr
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), "../server", "../client")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := peer.Start(t, peer.Command{
		Path: filepath.Join(dir, "server"), Args: []string{registry},
		Ready: peer.HTTP(serve.URL + "/api/v1/namespaces/default/services/hello"),
	})
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "client"), registry).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "hello, world" {
		t.Errorf("the client printed %q, %v", out, err)
	}
	if code := server.Stop(); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	if _, err := exec.CommandContext(t.Context(), filepath.Join(dir, "client"), registry).CombinedOutput(); err == nil {
		t.Error("a server that has left was called")
	}
}
