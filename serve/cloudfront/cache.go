package cloudfront

import "sync"

// maxCacheBytes bounds the keys and locations of one generation of a cache.
const maxCacheBytes = 16 << 20

// A cache remembers locations until their buckets end: a signature without '~' takes some 160 us, a
// bare redirect 20, and most requests are for few objects. The zero cache is ready for use.
//
// At any moment the ends of all buckets lie in two neighbouring windows of a bucket's length. Each
// window has a generation; the third takes the place of the first, in which all has ended.
type cache struct {
	mu          sync.RWMutex
	generations [2]generation
}

type generation struct {
	window    int64
	sizeBytes int
	locations map[string]string // by object key, which has one bucket's end in each window
}

func (c *cache) get(objectKey string, end int64) (location string, ok bool) {
	window := end / bucketSeconds
	c.mu.RLock()
	defer c.mu.RUnlock()
	g := &c.generations[window&1]
	if g.window != window {
		return "", false
	}
	location, ok = g.locations[objectKey]
	return location, ok
}

// put adds a location. A full generation is emptied: what is in demand comes back at once, and a
// flood of rare names cannot keep it out for long.
func (c *cache) put(objectKey string, end int64, location string) {
	window := end / bucketSeconds
	size := len(objectKey) + len(location)
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.generations[window&1]
	if g.locations == nil || g.window != window || g.sizeBytes+size > maxCacheBytes {
		*g = generation{window: window, locations: map[string]string{}}
	}
	if _, ok := g.locations[objectKey]; !ok { // another request may have signed it meanwhile
		g.locations[objectKey] = location
		g.sizeBytes += size
	}
}
