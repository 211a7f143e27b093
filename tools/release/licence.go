package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// licence is one file in which somebody says what may be done with his work.
type licence struct {
	name string   // its path in the module
	text []byte   // as it is
	ids  []string // SPDX's names of what it says; none of a NOTICE
}

// phrases find licences by sentences that no other has, in lower case, without punctuation. The order matters: what is found
// first hides what it quotes.
var phrases = []struct {
	id  string
	all []string
	not string
}{
	{"MPL-2.0", []string{"mozilla public license version 2 0", "covered software"}, ""},
	{"AGPL", []string{"gnu affero general public license"}, "mozilla public license version 2 0"},
	{"LGPL", []string{"gnu lesser general public license"}, "mozilla public license version 2 0"},
	{"GPL", []string{"gnu general public license"}, "mozilla public license version 2 0"},
	{"Apache-2.0", []string{"apache license", "version 2 0"}, ""},
	{"MIT", []string{"permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files"}, ""},
	{"ISC", []string{"permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted"}, ""},
	{"BSD-3-Clause", []string{"redistributions of source code must retain", "redistributions in binary form must reproduce", "neither the name"}, ""},
	{"BSD-2-Clause", []string{"redistributions of source code must retain", "redistributions in binary form must reproduce"}, "neither the name"},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}, ""},
}

// allowed are the licences under which others' work may be linked into the binary, which is Apache-2.0.
var allowed = []string{"Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0"}

// identify finds SPDX's names of what a text says, in the order of phrases.
func identify(text []byte) []string {
	plain := " " + strings.Join(strings.FieldsFunc(strings.ToLower(string(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ") + " "
	var ids []string
	for _, p := range phrases {
		has := func(phrase string) bool { return strings.Contains(plain, " "+phrase+" ") }
		if !slices.ContainsFunc(p.all, func(phrase string) bool { return !has(phrase) }) && (p.not == "" || !has(p.not)) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// permits says why a module with these files may not be linked, or nil.
func permits(module string, files []licence) error {
	var ids []string
	for _, l := range files {
		if isNotice(l.name) {
			continue
		}
		if len(l.ids) == 0 {
			return fmt.Errorf("module %s: %s is no licence that this knows; read it, and add what it says to phrases in tools/release/licence.go", module, l.name)
		}
		ids = append(ids, l.ids...)
	}
	if len(ids) == 0 {
		return fmt.Errorf("module %s has no licence file: nobody may pass it on", module)
	}
	for _, id := range ids {
		if !slices.Contains(allowed, id) {
			return fmt.Errorf("module %s is under %s, which is not one of %s", module, id, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// isLicence reports whether a file of this name belongs to what has to be passed on.
func isLicence(name string) bool {
	upper := strings.ToUpper(name)
	for _, kind := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS"} {
		if rest, found := strings.CutPrefix(upper, kind); found && (rest == "" || strings.ContainsAny(rest[:1], ".-_") && !strings.HasSuffix(rest, ".GO")) {
			return true
		}
	}
	return false
}

// isNotice reports whether a file only goes along with a licence.
func isNotice(name string) bool {
	base := strings.ToUpper(name[strings.LastIndexByte(name, '/')+1:])
	return strings.HasPrefix(base, "NOTICE") || strings.HasPrefix(base, "PATENTS")
}
