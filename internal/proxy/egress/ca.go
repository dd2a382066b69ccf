package egress

import (
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// How long certificates are valid. A sandbox lives for hours; a snapshot of one
// may be restored weeks later, and with clocks that differ.
const (
	caLife   = 365 * 24 * time.Hour
	leafLife = 30 * 24 * time.Hour
	skew     = 24 * time.Hour
)

// CA is the authority that inspected clients trust: made at random for one
// sandbox, its key never outside this process's memory. It is safe for
// concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf *ecdsa.PrivateKey // one key for all leaves: each name costs one signature

	mu     sync.Mutex
	byName map[string]*list.Element // of minted, at most MaxLeaves
	recent list.List                // most recently used first
}

type minted struct {
	name string
	cert *tls.Certificate
}

// NewCA makes an authority with a fresh P-256 key.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the CA's key: %w", err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the leaves' key: %w", err)
	}
	template := template("Gatehouse sandbox CA", caLife)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("signing the CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the CA: %w", err)
	}
	return &CA{cert: cert, key: key, leaf: leaf, byName: make(map[string]*list.Element)}, nil
}

func template(name string, life time.Duration) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails: crypto/rand
	serial[0] &= 0x7f
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Gatehouse"}},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(life),
	}
}

// PEM returns the certificate, without its key, for clients to trust.
func (a *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// certificate returns a leaf for name, a host or an IP address.
func (a *CA) certificate(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byName[name]; e != nil {
		m := e.Value.(*minted)
		if time.Now().Before(m.cert.Leaf.NotAfter.Add(-skew)) {
			a.recent.MoveToFront(e)
			return m.cert, nil
		}
		a.forget(e)
	}
	cert, err := a.mint(name)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", name, err)
	}
	if a.recent.Len() == MaxLeaves {
		a.forget(a.recent.Back())
	}
	a.byName[name] = a.recent.PushFront(&minted{name, cert})
	return cert, nil
}

func (a *CA) forget(e *list.Element) {
	delete(a.byName, a.recent.Remove(e).(*minted).name)
}

func (a *CA) mint(name string) (*tls.Certificate, error) {
	template := template(name, leafLife)
	if len(name) > 64 { // the longest common name (RFC 5280); the SAN has it in full
		template.Subject.CommonName = ""
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.leaf.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.leaf, Leaf: parsed}, nil
}

// Forget has every certificate for a host made anew.
func (a *CA) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.byName)
	a.recent.Init()
}
