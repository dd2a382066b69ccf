// Command engine is a small program with the event firewall in it: it inspects a
// benign event as often as it is told and prints the most memory it had resident.
// Beside noengine it is what `bench detect` measures the engine's start, memory
// and size by.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

func main() {
	event := fmt.Appendf(nil, `{"Records":[{"body":%q}]}`, bytes.Repeat([]byte("an order for Anne O'Brien; "), 36))
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || !json.Valid(event) {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
	var engine attack.Engine
	var result detect.Result
	for range n {
		result.Reset()
		engine.Inspect(event, engine.Source(event), &result, nil)
	}
	status, _ := os.ReadFile("/proc/self/status") // empty where there is none
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	fmt.Println(string(bytes.TrimSpace(line)))
}
