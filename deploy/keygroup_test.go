package deploy_test

import (
	"crypto"
	"net/url"
	"sync"
	"time"

	"repomill/serve/cloudfront"
)

// A keyGroup has the public keys whose signatures the CDN accepts.
type keyGroup struct {
	edge *url.URL
	mu   sync.Mutex
	keys map[string]crypto.PublicKey
}

// Verify implements serve.Verifier.
func (g *keyGroup) Verify(requestURI string, now time.Time) (objectKey string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return cloudfront.NewVerifier(g.edge, g.keys).Verify(requestURI, now)
}

// set adds a key; without one it removes that of the id.
func (g *keyGroup) set(id string, key crypto.PublicKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys[id] = key; key == nil {
		delete(g.keys, id)
	}
}
