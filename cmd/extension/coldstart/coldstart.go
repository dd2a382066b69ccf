// Package coldstart makes the start of the process cheaper, which every cold start
// of a function pays for. It does two things, before any other package of ours is
// initialized.
//
// It has the process start on one processor. A start is a chain of short waits;
// with two processors Go's scheduler wakes a thread for each of them, which takes
// a fifth of the start's CPU and makes nothing faster. Over ends it.
//
// And it takes the most expensive part of goproxy out. goproxy parses a 4,096-bit RSA authority of its own when it is initialized:
// 0.7 to 1.1 ms of CPU, a fifth of the whole start and some 10 ms at the 7.2 % of
// a core that 128 MB buy. Nothing here uses that authority, and its key is
// public. Before goproxy comes to it, this package puts a P-256 pair in its
// place, which parses in some 50 µs and which nobody trusts: it expired in 1970.
//
// It relies on the order in which packages are initialized, which the language
// fixes: of those that are ready, the one with the smallest import path first
// (https://go.dev/ref/spec#Program_initialization). This one imports next to
// nothing and sorts before github.com. A test fails where the order does not hold.
package coldstart

import (
	"runtime"
	_ "unsafe" // for go:linkname
)

//go:linkname certificate github.com/elazarl/goproxy.CA_CERT
var certificate []byte

//go:linkname key github.com/elazarl/goproxy.CA_KEY
var key []byte

// init is the exception to the rule that there is none: it must run before
// another package's.
func init() {
	processors = runtime.GOMAXPROCS(1)
	certificate, key = []byte(unusedCertificate), []byte(unusedKey)
}

// processors is how many the process has when it is not starting. Set once, by
// init.
var processors int

// Over gives the process all its processors: the start is over. It stops the world
// for some microseconds, so it is for a moment when nobody waits.
func Over() { runtime.GOMAXPROCS(processors) }

// The pair is no secret: it signs nothing, and expired in 1970.
const (
	unusedCertificate = `-----BEGIN CERTIFICATE-----
MIIBDjCBtaADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMTBnVudXNlZDAe
Fw03MDAxMDEwMDAwMDBaFw03MDAxMDEwMDAwMDFaMBExDzANBgNVBAMTBnVudXNl
ZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGexZcnWFbzRJxrcFG/KGLFDNGj3
GUNhGsXOVjmXYRZW+QJur6OhHZpLqOQcByD2fFr4wXZ2F8+AJziRXLMa5RYwCgYI
KoZIzj0EAwIDSAAwRQIhAJHmK8vlUXmYzkKAJ9xnGDrSkXv6NF4ZIk7DgWhY2F/+
AiB/QpBRKdhg+8TFrZe5uHt+ZXP7IruGEyI3s0Lz2TWJig==
-----END CERTIFICATE-----`
	unusedKey = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIGYoB1Tk1HxdC4gU6WSRWl1YI/cUoqsF1J+SsryJVeRZoAoGCCqGSM49
AwEHoUQDQgAEZ7FlydYVvNEnGtwUb8oYsUM0aPcZQ2Eaxc5WOZdhFlb5Am6vo6Ed
mkuo5BwHIPZ8WvjBdnYXz4AnOJFcsxrlFg==
-----END EC PRIVATE KEY-----`
)
