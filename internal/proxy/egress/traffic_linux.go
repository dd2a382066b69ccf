package egress

import (
	"net"

	"golang.org/x/sys/unix"
)

// trafficOf is how many bytes c has received, and how many of those that it sent have
// arrived (RFC 4898, as Linux counts them since 4.2); zero where the kernel does not say.
func trafficOf(c *net.TCPConn) (bytes [2]int64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return bytes
	}
	_ = raw.Control(func(fd uintptr) { // what is closed has nothing more to say
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			bytes[inward], bytes[outward] = int64(info.Bytes_received), max(0, int64(info.Bytes_acked)-1) // and SYN
		}
	})
	return bytes
}
