package attack

import "encoding/binary"

// kplMagic is how a record begins that the Kinesis Producer Library made of several.
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
var kplMagic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// aggregate judges the records of a KPL aggregate: field 3 of the message, whose own
// field 3 is the data. Partition keys, field 1, are the producer's.
func (in *inspection) aggregate(message []byte) {
	if in.clip() || !in.spend(2*len(message)) {
		return
	}
	for len(message) > 0 && !in.done {
		var field int
		var content []byte
		if field, content, message = protoField(message); field == 0 {
			return
		}
		for field == 3 && len(content) > 0 && !in.done {
			var inner int
			var data []byte
			if inner, data, content = protoField(content); inner == 3 {
				in.judge(data, classesOf(data))
			}
		}
		if field == 1 {
			in.judge(content, classesOf(content))
		}
	}
}

// protoField reads the first field of a protobuf message: its number, its bytes
// where it has a length, and the rest. Number 0 is the end.
func protoField(b []byte) (field int, content, rest []byte) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<20 {
		return 0, nil, nil
	}
	b = b[n:]
	switch tag & 7 {
	case 0:
		if _, n = binary.Uvarint(b); n <= 0 {
			return 0, nil, nil
		}
		return int(tag >> 3), nil, b[n:]
	case 2:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return 0, nil, nil
		}
		return int(tag >> 3), b[n : n+int(size)], b[n+int(size):]
	}
	return 0, nil, nil
}
