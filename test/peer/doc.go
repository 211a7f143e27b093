// Package peer starts, pauses, kills and restarts the real servers and programs that tests run against.
//
// A [Process] is a child process in its own process group, on a loopback port that [FreePort] reserved. It ends with the test that
// started it, whatever way the test ends, and when that test failed, the end of its output is in the test's log.
//
// Nothing here skips: a program that is missing is a failure that names the command which installs it.
package peer
