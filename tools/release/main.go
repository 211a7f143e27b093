// Command release builds what a release of muster consists of, from a clean clone of its tree: for each target an archive and
// a bill of materials, and the checksums of all. The same commit gives the same bytes, wherever and whenever it is built with
// the same Go.
//
//	release SOURCE OUT [OS/ARCH…]
//
// scripts/release makes the clone, gives it its version, and compares two builds.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: release SOURCE OUT [OS/ARCH…]")
	}
	targets, err := parseTargets(os.Args[3:])
	if err == nil {
		err = release(os.Args[1], os.Args[2], targets)
	}
	if err != nil {
		log.Fatalf("release: %v", err)
	}
}

// release builds the targets of the clone in source into the directory out.
func release(source, out string, targets []target) error {
	source, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	tree, err := openTree(source)
	if err != nil {
		return err
	}
	own, err := tree.files()
	if err != nil {
		return err
	}
	var written []string
	for _, t := range targets {
		names, err := tree.pack(t, out, own)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		written = append(written, names...)
	}
	return writeSums(out, written)
}
