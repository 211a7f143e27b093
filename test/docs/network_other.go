//go:build !linux

package docs

import "github.com/muster-go/muster/test/peer"

// bash is a shell; it needs the ports that pages name.
func bash() peer.Command { return peer.Command{Path: "bash", Args: []string{"--noprofile", "--norc"}} }

func connect(peer.Command, int) error { return nil }
