package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// bill is a binary's bill of materials, in CycloneDX 1.6: what its own build information says is in it, and under which licences.
func bill(info *buildinfo.BuildInfo, modules []*linked, binary []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(binary)
	main := component(cdx.ComponentTypeApplication, info.Main.Path, info.Main.Version)
	main.Name = "muster"
	main.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sum)}}
	main.Licenses = licences([]string{"Apache-2.0"})
	settings := []cdx.Property{{Name: "go:version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		settings = append(settings, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	main.Properties = &settings

	var parts []cdx.Component
	var refs []string
	dependencies := []cdx.Dependency{{Ref: main.BOMRef}}
	for _, m := range modules {
		c := component(cdx.ComponentTypeLibrary, m.path, m.version)
		var ids []string
		for _, l := range m.licences {
			ids = append(ids, l.ids...)
		}
		slices.Sort(ids)
		c.Licenses = licences(slices.Compact(ids))
		if m.sum != "" {
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.sum}}
		}
		parts, refs = append(parts, c), append(refs, c.BOMRef)
		dependencies = append(dependencies, cdx.Dependency{Ref: c.BOMRef})
	}
	dependencies[0].Dependencies = &refs

	bom := cdx.NewBOM()
	bom.SerialNumber = serial(sum)
	bom.Metadata = &cdx.Metadata{
		Timestamp:  at.Format(time.RFC3339),
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}},
		Component:  &main,
	}
	bom.Components, bom.Dependencies = &parts, &dependencies
	var buf bytes.Buffer
	enc := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := enc.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// component is a Go module, named as package URLs name it.
func component(kind cdx.ComponentType, path, version string) cdx.Component {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return cdx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
}

func licences(ids []string) *cdx.Licenses {
	var out cdx.Licenses
	for _, id := range ids {
		out = append(out, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &out
}

// serial is a UUID (RFC 9562, version 8) made from a binary's checksum: another binary has another, the same the same.
func serial(sum [sha256.Size]byte) string {
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
