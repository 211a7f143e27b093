//go:build unix

package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
)

func TestRegisterSaysThatItsTokenWasRevoked(t *testing.T) {
	t.Parallel()
	l, dir := guardedLab(t)
	token := strings.TrimSpace(l.must("token", "create", "orders", "--allow", "register:ORDERS", "--data", dir).stdout)
	addr := freeAddr(t)
	p := l.wrappedWith([]string{"MUSTER_TOKEN=" + token}, addr, "--ttl", "1s", "--drain", "1ms")
	await(t, "the registration", func() bool { return l.listed(addr) })
	l.must("token", "revoke", "orders", "--data", dir)
	await(t, "the word that it is refused", func() bool { return strings.Contains(p.out.String(), "token:orders was revoked") })
	await(t, "the end of its lease", func() bool { return !l.listed(addr) })
	if out := p.out.String(); strings.Count(out, "level=WARN") != 1 || !strings.Contains(out, "its lease runs out") || strings.Contains(out, token) {
		t.Errorf("it wrote:\n%s", out)
	}
	p.Process.Signal(syscall.SIGTERM)
	p.code(t)
}

func TestWatchAndWaitEndWhenTheirTokenIsRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		shows string // once the list has come
	}{
		"watch": {[]string{"watch"}, "ORDERS/10.0.0.1:8080"},
		"wait":  {[]string{"wait", "ORDERS", "--for", "2"}, "1 up of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir := guardedLab(t)
			l.env["MUSTER_TOKEN"] = strings.TrimSpace(l.must("token", "create", "eyes", "--allow", "read", "--data", dir).stdout)
			l.put("ORDERS", "10.0.0.1:8080")
			var out, errs output
			done := make(chan int, 1)
			go func() {
				done <- run(context.Background(), c.args, strings.NewReader(""), &out, &errs, func(name string) string { return l.env[name] })
			}()
			await(t, "the list", func() bool { return strings.Contains(out.String()+errs.String(), c.shows) })
			l.must("token", "revoke", "eyes", "--data", dir)
			if code := <-done; code != exitDenied || !strings.Contains(errs.String(), "token:eyes was revoked") {
				t.Errorf("exit code %d, %s", code, errs.String())
			}
		})
	}
}
