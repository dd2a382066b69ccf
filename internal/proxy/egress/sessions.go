package egress

import (
	"crypto/tls"
	"sync"
)

// maxSessions is how many servers' TLS sessions are remembered.
const maxSessions = 32

// sessions is a tls.ClientSessionCache: a server that was verified in this sandbox
// resumes its session, which costs neither side a signature. The zero value is empty.
type sessions struct {
	mu    sync.Mutex
	cache tls.ClientSessionCache
}

func (s *sessions) lru() tls.ClientSessionCache {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cache == nil {
		s.cache = tls.NewLRUClientSessionCache(maxSessions)
	}
	return s.cache
}

func (s *sessions) Get(server string) (*tls.ClientSessionState, bool) { return s.lru().Get(server) }

func (s *sessions) Put(server string, state *tls.ClientSessionState) { s.lru().Put(server, state) }

// forget has every server prove again who it is.
func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = nil
}
