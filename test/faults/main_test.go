package faults

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asProgram makes this test binary one of the programs that tests start, pause and kill.
const asProgram = "MUSTER_FAULTS_PROGRAM"

// TestMain lets many tests run side by side: most of them wait for leases, not for the processor.
func TestMain(m *testing.M) {
	flag.Parse()
	if name := os.Getenv(asProgram); name != "" {
		programs := map[string]func(args []string) error{"register": register, "write": write, "answer": answer}
		if err := programs[name](flag.Args()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
