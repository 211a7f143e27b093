//go:build !unix

package bolt_test

// writeUntilFull has no limit to set on this system.
func writeUntilFull(string) error { return nil }

// upgradeInNoRoom neither.
func upgradeInNoRoom(string) error { return nil }

// recoverInNoRoom neither.
func recoverInNoRoom(string) error { return nil }

// startInNoRoom neither.
func startInNoRoom(string) error { return nil }
