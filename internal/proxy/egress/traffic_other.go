//go:build !linux

package egress

import "net"

// trafficOf is nothing here: what goes through a tunnel is known when it ends.
func trafficOf(*net.TCPConn) (bytes [2]int64) { return bytes }
