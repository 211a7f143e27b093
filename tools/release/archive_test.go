package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"testing"
	"time"
)

func TestArchivesDoNotDependOnTheOrderOfFilesAndKeepModes(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	files := []file{{"muster", []byte("program"), 0o755}, {"docs/a.md", []byte("a"), 0o644}, {"LICENSE", []byte("l"), 0o644}}
	turned := slices.Clone(files)
	slices.Reverse(turned)
	for name, write := range map[string]func(string, []file, time.Time) ([]byte, error){"tar.gz": tarGz, "zip": zipped} {
		one, err := write("dir", files, at)
		if err != nil {
			t.Fatal(err)
		}
		two, err := write("dir", turned, at)
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: the order of files changes it (%v)", name, err)
		}
		if other, _ := write("dir", files, at.Add(time.Hour)); bytes.Equal(one, other) {
			t.Errorf("%s: the time of its files does not change it", name)
		}
	}

	archive, _ := tarGz("dir", files, at)
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if !h.ModTime.Equal(at) || h.Uid != 0 || h.Uname != "" || (h.Name == "dir/muster") != (h.Mode == 0o755) {
			t.Errorf("%+v", h)
		}
	}
	if want := []string{"dir/LICENSE", "dir/docs/a.md", "dir/muster"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	archive, _ = zipped("dir", files, at)
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if !f.Modified.Equal(at) || (f.Name == "dir/muster") != (f.Mode().Perm() == 0o755) {
			t.Errorf("%+v", f.FileHeader)
		}
	}
}

func TestTargetsAreSixAndOthersAreRefused(t *testing.T) {
	if all, err := parseTargets(nil); err != nil || len(all) != 6 {
		t.Errorf("%v, %v", all, err)
	}
	if one, err := parseTargets([]string{"windows/arm64"}); err != nil || one[0].program() != "muster.exe" {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := parseTargets([]string{"plan9/386"}); err == nil {
		t.Error("plan9/386 is a target")
	}
}
