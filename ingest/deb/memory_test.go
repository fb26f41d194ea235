package deb_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// The most that the intake may take for one package: bytes allocated in all, beyond those of the file, and time.
const (
	allowance = 64 << 20
	mostTime  = 10 * time.Second // with the machine busy; alone, none takes two seconds
)

// most is what the hungriest and the slowest package of all tests took.
var most struct {
	tried        int
	bytes        int64 // beyond the file
	time         time.Duration
	hungry, slow string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if testing.Verbose() {
		fmt.Printf("%d packages measured; at most %d KiB beyond the file (%s), and %v (%s)\n", most.tried, most.bytes>>10, most.hungry, most.time, most.slow)
	}
	os.Exit(code)
}

// measured reads a package whole and fails the test if that took more than is allowed. Tests that use it do not
// run in parallel.
func measured(t *testing.T, file []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	start := time.Now()
	runtime.ReadMemStats(&before)
	err := verdict(bytes.NewReader(file))
	runtime.ReadMemStats(&after)
	took := time.Since(start)
	used := int64(after.TotalAlloc-before.TotalAlloc) - int64(len(file))
	if used > allowance || took > mostTime {
		t.Errorf("%d bytes beyond the %d of the package were allocated, in %v", used, len(file), took)
	}
	if most.tried++; used > most.bytes {
		most.bytes, most.hungry = used, t.Name()
	}
	if took > most.time {
		most.time, most.slow = took, t.Name()
	}
	return err
}
