package leak

import (
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"
)

// keyIDs is how access key ids are written: prefix and 16 characters of base32.
const keyIDLen = 20

// AccountOf returns the 12 digits of the AWS account that an access key id belongs to.
// The account is in the id's characters since 2019; of an older id, whose fifth
// character is I or J, and of what is none, ok is false.
func AccountOf(keyID string) (account string, ok bool) {
	if !isKeyID(keyID) || keyID[4] == 'I' || keyID[4] == 'J' {
		return "", false
	}
	var raw [10]byte
	if _, err := base32.StdEncoding.Decode(raw[:], []byte(keyID[4:])); err != nil {
		return "", false
	}
	var word [8]byte
	copy(word[2:], raw[:6])
	n := binary.BigEndian.Uint64(word[:]) & 0x7fffffffff80 >> 7
	if n > 999999999999 {
		return "", false // no account: the id is made up
	}
	text := strconv.FormatUint(n, 10)
	return strings.Repeat("0", 12-len(text)) + text, true
}

// isKeyID reports whether s may be an access key id.
func isKeyID(s string) bool {
	if len(s) != keyIDLen || !isKeyPrefix(s[:4]) {
		return false
	}
	for i := 4; i < keyIDLen; i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func isKeyPrefix(s string) bool { return s == "AKIA" || s == "ASIA" }

// KeyIDs calls found with each access key id in text that stands where a signed
// request to AWS names its signer: Credential=ID/, or X-Amz-Credential=ID/, with the
// slash as it is or escaped. It ends when found returns false.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func KeyIDs(text string, found func(keyID string) bool) {
	const before = "credential="
	for {
		i := indexFold(text, before)
		if i < 0 {
			return
		}
		text = text[i+len(before):]
		if len(text) <= keyIDLen || !isKeyID(text[:keyIDLen]) {
			continue
		}
		if rest := text[keyIDLen:]; (rest[0] == '/' || strings.HasPrefix(strings.ToLower(rest), "%2f")) && !found(text[:keyIDLen]) {
			return
		}
	}
}

// indexFold is strings.Index where the case of text does not count; sub is in lower
// case and has an = at its end.
func indexFold(text, sub string) int {
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '=')
		if i < 0 {
			return -1
		}
		end := from + i + 1
		if end >= len(sub) && strings.EqualFold(text[end-len(sub):end], sub) {
			return end - len(sub)
		}
		from = end
	}
}
