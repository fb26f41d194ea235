package ingest_test

import (
	"runtime"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// A large package is never in memory, neither when it is stored nor when it turns out a duplicate.
func TestI12Memory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 600 MB")
	}
	const most = 16 << 20 // bytes, all allocations together
	s := newSite(t)
	body, size := debtest.Stream(debtest.Spec{Arch: "amd64", Size: 300 << 20})
	u, err := s.staging.Put(t.Context(), debObject, body, catalog.Pusher{})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"new", "duplicate"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := s.store(u)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			t.Errorf("%s: %d MiB were allocated for a package of %d MiB", what, n>>20, size>>20)
		}
		if what == "new" {
			if err := s.activate(u, got); err != nil {
				t.Fatal(err)
			}
		}
	}
}
