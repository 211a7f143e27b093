package registrytest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPolledDriverKeepsTheContract(t *testing.T) { registrytest.Run(t, polledHarness()) }

func TestSessionDriverKeepsTheContract(t *testing.T) { registrytest.Run(t, sessionHarness()) }
