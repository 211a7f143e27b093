package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	mit = "Permission is hereby granted, free of charge, to any person obtaining\na copy of this software and associated documentation files (the \"Software\")"
	bsd = "Redistributions of source code must retain the above. Redistributions in binary form must reproduce the above."
)

func TestIdentifyKnowsWhatLicencesSay(t *testing.T) {
	apache, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		want       string
	}{
		{"Apache", string(apache), "Apache-2.0"},
		{"MIT over two lines", mit, "MIT"},
		{"both, as yaml's", mit + "\nApache License\nVersion 2.0", "Apache-2.0 MIT"},
		{"three clauses", bsd + " Neither the name of Google Inc. nor", "BSD-3-Clause"},
		{"two clauses", bsd, "BSD-2-Clause"},
		{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided", "ISC"},
		{"MPL, which names others", "Mozilla Public License Version 2.0 ... Covered Software ... the GNU General Public License, Version 2.0, the GNU Lesser General Public License", "MPL-2.0"},
		{"GPL", "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL"},
		{"a text of one's own", "Do what you like, but tell me.", ""},
		{"nothing", "", ""},
	} {
		if got := strings.Join(identify([]byte(c.text)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestModuleWithoutALicenceThatIsAllowedIsRefused(t *testing.T) {
	file := func(name, text string) licence {
		return licence{name: name, text: []byte(text), ids: identify([]byte(text))}
	}
	for _, c := range []struct {
		name  string
		files []licence
		want  string // in the refusal; "" permits
	}{
		{"one that is allowed", []licence{file("LICENSE", mit)}, ""},
		{"with a notice beside it", []licence{file("LICENSE", mit), file("NOTICE", "by us"), file("PATENTS", "granted")}, ""},
		{"none", nil, "no licence file"},
		{"a notice alone", []licence{file("NOTICE", "by us")}, "no licence file"},
		{"unknown", []licence{file("COPYING", "ask me")}, "COPYING is no licence that this knows"},
		{"not allowed", []licence{file("LICENSE", "GNU GENERAL PUBLIC LICENSE Version 2")}, "is under GPL"},
		{"one of two not allowed", []licence{file("LICENSE", mit), file("sub/COPYING", "GNU Affero General Public License")}, "is under AGPL"},
	} {
		err := permits("example.org/m", c.files)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestLicencesOfPackagesAreThoseBesideAndAboveThemInTheirModule(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"LICENSE", "notice.md", "license.go", "a/COPYING.txt", "a/b/LICENSE-MIT", "other/LICENSE"} {
		path := filepath.Join(root, "module", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(mit), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "LICENSE"), nil, 0o644); err != nil { // not the module's
		t.Fatal(err)
	}
	module := filepath.Join(root, "module")
	found, err := licencesOf(map[string]string{filepath.Join(module, "a", "b"): module, module: module})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range found {
		names = append(names, l.name)
	}
	if want := []string{"LICENSE", "a/COPYING.txt", "a/b/LICENSE-MIT", "notice.md"}; !slices.Equal(names, want) {
		t.Errorf("found %q, want %q", names, want)
	}
}
