package cloudfront

import "sync"

// maxCacheBytes bounds the names and signed texts of one generation of a cache.
const maxCacheBytes = 16 << 20

// A cache holds signed texts by name until the expiry bucket of the name ends: a signature without '~'
// takes some 160 us, a bare redirect 20, and most requests are for few objects. The zero cache is
// ready for use. Its methods may be called concurrently.
//
// At any moment the ends of all buckets lie in two adjacent windows of a bucket's length. Each window has
// a generation. The generation of the third window replaces that of the first, whose buckets have ended.
type cache struct {
	mu          sync.RWMutex
	generations [2]generation
}

type generation struct {
	window    int64
	sizeBytes int
	signed    map[string]string // by name: a name has one bucket end in each window
}

func (c *cache) get(name string, end int64) (signed string, ok bool) {
	window := end / bucketSeconds
	c.mu.RLock()
	defer c.mu.RUnlock()
	g := &c.generations[window&1]
	if g.window != window {
		return "", false
	}
	signed, ok = g.signed[name]
	return signed, ok
}

// put adds a signed text. It empties a full generation: names in demand return at once, and a flood of rare
// names cannot keep them out for long.
func (c *cache) put(name string, end int64, signed string) {
	window := end / bucketSeconds
	size := len(name) + len(signed)
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.generations[window&1]
	if g.signed == nil || g.window != window || g.sizeBytes+size > maxCacheBytes {
		*g = generation{window: window, signed: map[string]string{}}
	}
	if _, ok := g.signed[name]; !ok { // another request may have signed it since get
		g.signed[name] = signed
		g.sizeBytes += size
	}
}
