package catalogdb_test

import (
	"testing"
	"time"

	"repomill/schemas/catalogdb"
)

func lockRelease(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	try := func(holder string, seconds int, want bool) {
		t.Helper()
		now := after(time.Duration(seconds) * time.Second)
		if got, err := db.LockRelease(t.Context(), jammy, holder, 10*time.Second, now); err != nil || got != want {
			t.Errorf("%s at %d s: got %t, %v; want %t", holder, seconds, got, err, want)
		}
	}
	try("one", 0, true)
	try("two", 9, false)
	try("one", 9, true)
	try("two", 18, false)
	try("two", 19, true)
	if err := db.UnlockRelease(t.Context(), jammy, "one"); err != nil {
		t.Fatal(err)
	}
	s := snapshot(t, db, jammy)
	if !s.Lock.HeldByOther("one", after(20*time.Second)) || s.Lock.HeldByOther("two", after(20*time.Second)) || s.Lock.HeldByOther("one", after(29*time.Second)) {
		t.Errorf("a snapshot says %+v", s.Lock)
	}
	s.Close()
	if err := db.UnlockRelease(t.Context(), jammy, "two"); err != nil {
		t.Fatal(err)
	}
	try("three", 20, true)
}
