package interop

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asService makes this test binary the Go service instead: a process of its own, as the Python ones are.
const asService = "MUSTER_INTEROP_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		if err := runGoService(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
