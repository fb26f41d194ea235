package cloudfront // the cache cannot be seen from outside

import (
	"fmt"
	"strings"
	"testing"
)

func TestCacheForgetsEndedBuckets(t *testing.T) {
	var c cache
	const end = 1000 * bucketSeconds
	c.put("a", end, "first")
	c.put("b", end+bucketSeconds, "second")
	for _, tt := range []struct {
		key  string
		end  int64
		want string
	}{
		{"a", end, "first"},
		{"b", end + bucketSeconds, "second"},
		{"a", end + bucketSeconds, ""},
		{"a", end + 2*bucketSeconds, ""}, // the same place as the first window
	} {
		if got, _ := c.get(tt.key, tt.end); got != tt.want {
			t.Errorf("get(%q, %d): got %q, want %q", tt.key, tt.end, got, tt.want)
		}
	}
	c.put("c", end+2*bucketSeconds, "third")
	if got, ok := c.get("a", end); ok {
		t.Errorf("the window of two buckets ago still has %q", got)
	}
	if got, _ := c.get("b", end+bucketSeconds); got != "second" {
		t.Errorf("the window of one bucket ago has %q, want it untouched", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	location := strings.Repeat("x", 4000)
	for i := range 3 * maxCacheBytes / len(location) {
		key := fmt.Sprint("key", i)
		c.put(key, 1, location)
		c.put(key, 1, location) // counts once
		if _, ok := c.get(key, 1); !ok {
			t.Fatalf("%s is not there right after put", key)
		}
		g := &c.generations[0]
		if held := len(g.signed) * len(location); g.sizeBytes > maxCacheBytes || held > g.sizeBytes {
			t.Fatalf("after %d puts: %d bytes counted, %d held", i+1, g.sizeBytes, held)
		}
	}
}
