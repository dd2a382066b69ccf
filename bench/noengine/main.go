// Command noengine is program engine without the event firewall: it checks that the
// event is JSON instead.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

func main() {
	event := fmt.Appendf(nil, `{"Records":[{"body":%q}]}`, bytes.Repeat([]byte("an order for Anne O'Brien; "), 36))
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || !json.Valid(event) {
		fmt.Fprintln(os.Stderr, "noengine:", err)
		os.Exit(1)
	}
	for range n {
		json.Valid(event)
	}
	status, _ := os.ReadFile("/proc/self/status") // empty where there is none
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	fmt.Println(string(bytes.TrimSpace(line)))
}
