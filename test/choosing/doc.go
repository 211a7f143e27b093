// Package choosing shows under real conditions what each policy of a client makes of an instance that turns bad: ten server
// processes on loopback, found through a muster serve, one of which is slowed, fails, resets connections, stands still or is
// killed, while a client calls at a fixed rate.
//
// What its test claims are counts and orders: no safe call fails under any policy, and the default one waits no longer for a
// slow instance than one that does not look. The times are printed, and claimed nowhere.
package choosing
