package registrytest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster/registry/registrytest"
)

// mutant is a driver, or a harness, with one flaw, and the subtests that must notice it.
type mutant struct {
	name    string
	by      []string
	harness registrytest.Harness
}

func mutants() []mutant {
	return slices.Concat(watchMutants(), leaseMutants(), fieldMutants(), faultMutants(), intentMutants(), powerMutants())
}

// playMutant names, to a child process, the mutant it is to be.
const playMutant = "REGISTRYTEST_MUTANT"

// A suite proves something only if it fails for those who break the contract. Each mutant plays in a process of its own,
// because a failing subtest fails the test it is part of.
func TestMutantsAreCaught(t *testing.T) {
	if name := os.Getenv(playMutant); name != "" {
		i := slices.IndexFunc(mutants(), func(m mutant) bool { return m.name == name })
		registrytest.Run(t, mutants()[i].harness)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			run := "^TestMutantsAreCaught$/^(" + strings.Join(m.by, "|") + ")$"
			cmd := exec.Command(exe, "-test.run", run, "-test.timeout", "60s")
			cmd.Env = append(os.Environ(), playMutant+"="+m.name)
			out, _ := cmd.CombinedOutput()
			if strings.Contains(string(out), "panic:") {
				t.Errorf("the suite ended in a panic:\n%s", out)
			}
			for _, name := range m.by {
				if !strings.Contains(string(out), "--- FAIL: TestMutantsAreCaught/"+name+" ") {
					t.Errorf("%s did not notice:\n%s", name, out)
				}
			}
		})
	}
}

// A subtest that no mutant trips is not known to check anything.
func TestEverySubtestCatchesAMutant(t *testing.T) {
	proven := make(map[string]bool)
	for _, m := range mutants() {
		for _, name := range m.by {
			proven[name] = true
		}
	}
	for _, name := range registrytest.Names() {
		if !proven[name] {
			t.Errorf("no mutant is there for %s to catch", name)
		}
		delete(proven, name)
	}
	for name := range proven {
		t.Errorf("a mutant names the subtest %s, which does not exist", name)
	}
}
