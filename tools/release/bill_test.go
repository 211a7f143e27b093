package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is CycloneDX 1.6's own, as the library that writes it has it beside it.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	for url, name := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+url, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBillIsWhatCycloneDXWantsAndTheSameTwice(t *testing.T) {
	info := &buildinfo.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "github.com/muster-go/muster", Version: "v1.2.3"}}
	info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}
	modules := []*linked{
		{path: "example.org/m", version: "v0.1.0", sum: "h1:abc=", licences: []licence{{name: "LICENSE", ids: []string{"MIT", "Apache-2.0"}}, {name: "NOTICE"}}},
		{path: "std", version: "go1.26.8", licences: []licence{{name: "LICENSE", ids: []string{"BSD-3-Clause"}}}},
	}
	at := time.Unix(1_700_000_000, 0).UTC()
	text, err := bill(info, modules, []byte("binary"), at)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t)
	if err := s.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	again, err := bill(info, modules, []byte("binary"), at)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same binary has another bill (%v)", err)
	}
	if other, _ := bill(info, modules, []byte("another"), at); bytes.Equal(serialOf(text), serialOf(other)) {
		t.Error("another binary has the same serial number")
	}
	for _, want := range []string{`"pkg:golang/example.org/m@v0.1.0"`, `"MIT"`, `"h1:abc="`, `"2023-11-14T22:13:20Z"`, `"pkg:golang/std@go1.26.8"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	broken, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.Replace(text, []byte(`"urn:uuid:`), []byte(`"uuid:`), 1)))
	if err != nil || s.Validate(broken) == nil {
		t.Errorf("the schema accepts a serial number that is none (%v)", err)
	}
}

func serialOf(bill []byte) []byte {
	_, rest, _ := bytes.Cut(bill, []byte("serialNumber"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return line
}

func TestVersionIsRefusedWhenTheBuildHasNoneOrNotACommitAsItIs(t *testing.T) {
	for v, ok := range map[string]bool{"v1.2.3": true, "v0.0.0-20260102150405-abcdef123456": true, "v1.2.3+dirty": false, "(devel)": false, "": false} {
		if _, err := versionOf(&buildinfo.BuildInfo{Main: debug.Module{Version: v}}); (err == nil) != ok {
			t.Errorf("version %q: %v", v, err)
		}
	}
}
