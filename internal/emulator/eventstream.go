package emulator

import (
	"encoding/binary"
	"hash/crc32"
	"net/http"
)

// chunks writes a streamed response as PayloadChunk events.
type chunks struct{ w http.ResponseWriter }

func (c *chunks) Write(p []byte) (int, error) {
	if _, err := c.w.Write(eventFrame("PayloadChunk", "application/octet-stream", p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was written.
func (c *chunks) Flush() {
	if f, ok := c.w.(http.Flusher); ok {
		f.Flush()
	}
}

// eventFrame is one event in AWS's event stream encoding,
// https://smithy.io/2.0/aws/amazon-eventstream.html.
func eventFrame(kind, contentType string, payload []byte) []byte {
	var headers []byte
	for _, h := range [][2]string{{":event-type", kind}, {":content-type", contentType}, {":message-type", "event"}} {
		headers = append(headers, byte(len(h[0])))
		headers = append(headers, h[0]...)
		headers = append(headers, 7) // a string
		headers = binary.BigEndian.AppendUint16(headers, uint16(len(h[1])))
		headers = append(headers, h[1]...)
	}
	const around = 16 // two lengths and two checksums
	frame := make([]byte, 0, around+len(headers)+len(payload))
	frame = binary.BigEndian.AppendUint32(frame, uint32(around+len(headers)+len(payload)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(headers)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, headers...), payload...)
	return binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
}
