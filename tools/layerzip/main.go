// Command layerzip packs the layer: the extension's binary and the folder
// layer/gatehouse, into a zip whose bytes depend on nothing but their contents.
//
//	layerzip -o dist/gatehouse-layer-arm64.zip BINARY layer/gatehouse
//
// It prints the zip's size in bytes, the binary's, and the zip's SHA-256.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "write the zip to this `file`")
	flag.Parse()
	if flag.NArg() != 2 || *out == "" {
		fmt.Fprintln(os.Stderr, "usage: layerzip -o FILE BINARY FOLDER")
		os.Exit(2)
	}
	if err := run(*out, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "layerzip:", err)
		os.Exit(1)
	}
}

func run(out, binary, folder string) error {
	entries, err := Layer(binary, folder)
	if err != nil {
		return err
	}
	zipped, err := Zip(entries)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, zipped, 0o644); err != nil {
		return fmt.Errorf("writing the layer: %w", err)
	}
	fmt.Printf("%s  %d bytes (binary %d)  sha256 %x\n", out, len(zipped), len(entries[0].Data), sha256.Sum256(zipped))
	return nil
}
