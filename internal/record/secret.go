package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Secret is what may be said about a secret: its name and its fingerprint. The
// type has no room for the value, so a value cannot be logged by accident.
type Secret struct {
	Name        string
	Fingerprint string // see Fingerprint
}

// String shows s as it stands in records, in the place of the value.
func (s Secret) String() string { return "{{" + s.Name + ":" + s.Fingerprint + "}}" }

// Fingerprint returns the first 12 hex digits of HMAC-SHA-256 over value. With
// one key it is equal across sandboxes, and nobody without the key can guess a
// value by trying.
func Fingerprint(key, value []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:6])
}
