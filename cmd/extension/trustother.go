package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// Clients that take no PEM bundle by a variable are told in their own way: Java by a
// trust store, PHP's curl by an ini file.

// trustPassword opens the trust store. It guards nothing: certificates are public.
// The wrapper names it.
const trustPassword = "gatehouse"

// jvms are where a Java runtime lies: AWS's images, and others.
var jvms = []string{"/var/lang/bin/java", "/usr/bin/java"}

var errOwnTrustStore = errors.New("JAVA_TOOL_OPTIONS names a trust store of its own, so Java does not trust the CA that TLS is inspected with: " +
	"take javax.net.ssl.trustStore out of it and name the certificates in GATEHOUSE_UPSTREAM_CA, or list the hosts in egress.inspect.bypass")

// trustStore writes a PKCS #12 trust store with all of bundle.pem where there is a
// Java to read it, and returns its path; "" where there is none, which costs the
// start of other functions nothing.
func (x *extension) trustStore() string {
	if !hasJava(x.cfg.Env["JAVA_HOME"]) {
		return ""
	}
	if strings.Contains(x.cfg.Env["JAVA_TOOL_OPTIONS"], "javax.net.ssl.trustStore=") {
		x.degradeBy("trust", errOwnTrustStore)
		return ""
	}
	text, err := os.ReadFile(x.folder.path("bundle.pem"))
	if err == nil {
		text, err = pkcs12.Modern2023.EncodeTrustStore(parseCertificates(text), trustPassword)
	}
	if err == nil {
		err = x.folder.write("trust.p12", text)
	}
	if err != nil {
		x.degradeBy("trust", fmt.Errorf("making Java's trust store: %w", err))
		return ""
	}
	return x.folder.path("trust.p12")
}

func hasJava(home string) bool {
	paths := jvms
	if home != "" {
		paths = append([]string{filepath.Join(home, "bin", "java")}, jvms...)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// parseCertificates returns the certificates in PEM text, once each; what is none is
// left out, as clients do.
func parseCertificates(text []byte) (list []*x509.Certificate) {
	seen := map[string]bool{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || seen[string(block.Bytes)] {
			continue
		}
		seen[string(block.Bytes)] = true
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, cert)
		}
	}
	return list
}

// phpTrust writes a folder with an ini file for PHP, and returns its path.
func (x *extension) phpTrust() string {
	bundle := x.folder.path("bundle.pem")
	ini := "; made by gatehouse: TLS is inspected\ncurl.cainfo=" + bundle + "\nopenssl.cafile=" + bundle + "\n"
	err := x.folder.writeIn("php", "gatehouse.ini", []byte(ini))
	x.degradeBy("trust", err)
	if err != nil {
		return ""
	}
	return x.folder.path("php")
}
