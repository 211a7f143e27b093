package main

import (
	"net"
	"testing"
	"time"
)

func TestTheCommandEndsWithAMusterThatIsKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	addr := freeAddr(t)
	p := l.service(addr)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the command's end", func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}
