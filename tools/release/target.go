package main

import (
	"fmt"
	"slices"
	"strings"
)

// target is a system that muster is built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// program is the binary's name.
func (t target) program() string {
	if t.os == "windows" {
		return "muster.exe"
	}
	return "muster"
}

// env is what the build of a target is told; nothing else of the environment changes its bytes.
func (t target) env() []string {
	return []string{"GOOS=" + t.os, "GOARCH=" + t.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GOWORK=off"}
}

// allTargets are those of a release.
func allTargets() []target {
	var all []target
	for _, os := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, target{os, arch})
		}
	}
	return all
}

// parseTargets reads OS/ARCH arguments; none means all.
func parseTargets(args []string) ([]target, error) {
	if len(args) == 0 {
		return allTargets(), nil
	}
	var targets []target
	for _, arg := range args {
		os, arch, _ := strings.Cut(arg, "/")
		t := target{os, arch}
		if !slices.Contains(allTargets(), t) {
			return nil, fmt.Errorf("target %q is none of %v", arg, allTargets())
		}
		targets = append(targets, t)
	}
	return targets, nil
}
