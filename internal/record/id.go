package record

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// NewID makes a record's id: a ULID, 26 characters that sort by time, of 48 bits
// of milliseconds and 80 random ones (https://github.com/ulid/spec). The random
// ones come from the kernel, because sandboxes restored from one snapshot share
// every generator that lives in memory.
//
// It is written here because the library for it seeds a generator of its own when
// the process starts, and links database/sql: 50 µs of every cold start.
func NewID() string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(id[6:]) // never fails: crypto/rand ends the process instead
	return encodeID(id)
}

// crockford is the alphabet of ULIDs: no I, L, O or U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// encodeID writes the 128 bits of id as 26 characters of five bits each, of which
// the first two bits are zero.
func encodeID(id [16]byte) string {
	var shifted [17]byte // id, two bits to the right
	for i, b := range id {
		shifted[i] |= b >> 2
		shifted[i+1] = b << 6
	}
	return base32.NewEncoding(crockford).EncodeToString(shifted[:])[:26]
}
