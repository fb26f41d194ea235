package catalogdb_test

import (
	"bytes"
	"sync"
	"testing"
)

// All processes with a catalog have one secret, in any order of calls; another catalog has another one.
func TestCacheSecret(t *testing.T) {
	seen := map[string]bool{}
	onBoth(t, func(t *testing.T, e database) {
		db := open(t, e.url)
		var got [8][]byte
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], err = db.CacheSecret(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, secret := range got {
			if len(secret) != 32 || !bytes.Equal(secret, got[0]) {
				t.Errorf("got %x and %x", secret, got[0])
			}
		}
		if seen[string(got[0])] {
			t.Error("two catalogs have one secret")
		}
		seen[string(got[0])] = true
	})
}
