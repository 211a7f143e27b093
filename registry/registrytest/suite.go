// Package registrytest checks that a registry driver keeps the contract of muster.Driver. It is the one place where that
// contract is tested: a driver's own tests need a [Harness] and what is particular to its wire format, nothing else.
//
//	func TestConformance(t *testing.T) {
//		registrytest.Run(t, registrytest.Harness{
//			New:   newBackend, // starts the back end, or makes room on it
//			TTL:   time.Second,
//			Lacks: map[registrytest.Trait]string{registrytest.Tier: "the layout has no place for it"},
//		})
//	}
//
// Where the words of the contract leave a choice, the comment of the subtest's function states what the suite asks for.
package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// subtest is one claim of the contract.
type subtest struct {
	name  string
	needs []Trait // all of them; the subtest is left out when the harness lacks one
	run   func(s *scene)
}

// subtests returns the contract's table of contents.
func subtests() []subtest {
	return slices.Concat(watchSubtests(), roundTripSubtests(), leaseSubtests(), faultSubtests(), intentSubtests(), powerSubtests())
}

// Run checks a driver against the whole contract, each claim in a subtest of its own on a fresh back end. It logs which
// subtests were left out and for what reason.
//
// Subtests look for goroutines left behind, so a test that calls Run must not itself be parallel.
func Run(t *testing.T, h Harness) {
	if h.New == nil || h.TTL <= 0 {
		t.Fatal("a Harness needs New and TTL")
	}
	if h.Exact && h.Parallel {
		t.Fatal("a Harness is Exact or Parallel: in a bubble waits are free")
	}
	all := subtests()
	t.Log(h.plan(all))
	for _, x := range all {
		if h.missing(x.needs) != "" {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			if h.Exact {
				synctest.Test(t, func(t *testing.T) { x.run(newScene(t, &h)) })
				return
			}
			if h.Parallel && x.name != noGoroutineLeft {
				t.Parallel()
			}
			x.run(newScene(t, &h))
		})
	}
}

// missing returns the first of the traits that the harness lacks, or "".
func (h *Harness) missing(needs []Trait) Trait {
	for _, x := range needs {
		if !h.has(x) {
			return x
		}
	}
	return ""
}

// plan says what applies and what does not, and why.
func (h *Harness) plan(all []subtest) string {
	var out []string
	for _, x := range all {
		if lack := h.missing(x.needs); lack != "" {
			out = append(out, fmt.Sprintf("  %-38s no %s: %s", x.name, lack, h.Lacks[lack]))
		}
	}
	for x, why := range h.Lacks {
		if isField(x) {
			out = append(out, fmt.Sprintf("  %-38s not compared: %s", "field "+string(x), why))
		}
	}
	if len(out) == 0 {
		return fmt.Sprintf("all %d subtests apply", len(all))
	}
	slices.Sort(out)
	return fmt.Sprintf("%d subtests; left out:\n%s", len(all), strings.Join(out, "\n"))
}

func isField(x Trait) bool {
	return slices.Contains([]Trait{Status, Zone, Version, Tier, Weight, Metadata, ManyEndpoints, Started, Registered, Owner,
		ServiceCase, FreeIDs, IntentWeight, IntentText}, x)
}
