// Package deploy holds the tests of deploy/: what systemd, a container and Prometheus would do with the binary and the files there,
// done with the real programs.
package deploy
