package main

import (
	"slices"
	"strings"
)

// v1Path finds in /proc/PID/cgroup the group that rules the CPU time (version 1),
// as a path below the controller's mount; "/" where it is not said.
// https://man7.org/linux/man-pages/man7/cgroups.7.html
func v1Path(text string) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:path
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), "cpu") {
			return fields[2]
		}
	}
	return "/"
}
