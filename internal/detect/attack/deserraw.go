package attack

import "bytes"

// rawFamily finds serialized objects in bytes that are no text. It shares its rules
// with deserFamily.
var rawFamily = family{applies: rawApplies, match: matchRaw}

// rawApplies leaves out text: the objects begin with bytes below a blank.
func rawApplies(c class) bool { return c&control != 0 }

// magics are what serialized objects begin with, as bytes and as a JSON string
// that has each byte as a character.
var magics = [...]struct {
	text string
	rule int
}{
	{"\xac\xed\x00\x05", deserJava}, {"\u00ac\u00ed\x00\x05", deserJava},
	{"\x00\x01\x00\x00\x00\xff\xff\xff\xff", deserDotNet}, {"\x00\x01\x00\x00\x00\u00ff\u00ff\u00ff\u00ff", deserDotNet},
	{"\x80\x04\x95", deserSuspect}, {"\u0080\x04\u0095", deserSuspect},
	{"\x04\bo:", deserRuby}, {"\x04\bU:", deserRuby}, {"\x04\bc", deserSuspect}, {"\x04\b[\bc", deserRuby},
}

// matchRaw looks at what the value begins with.
func matchRaw(_ *inspection, p *probe) (r *rule, at int) {
	for i := range magics {
		if bytes.HasPrefix(p.value, []byte(magics[i].text)) {
			return &deserRules[magics[i].rule], 0
		}
	}
	return nil, 0
}
