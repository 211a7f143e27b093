package choosing

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asServer makes this test binary one of the ten servers.
const asServer = "MUSTER_CHOOSING_SERVER"

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(asServer) != "" {
		if err := serve(flag.Arg(0), flag.Arg(1)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
