package bolt_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs this program as one of its own helpers when a test starts it so, else the tests.
func TestMain(m *testing.M) {
	if role := os.Getenv("MUSTER_BOLT_TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}
