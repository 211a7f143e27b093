// Package attacks tries, as an outsider would, what docs/security-tests.md lists, on a real `muster serve`.
package attacks
