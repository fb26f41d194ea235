package rpm_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// The most that the intake may take for one package: bytes allocated in all, beyond those of the file, and time.
const (
	allowance = 64 << 20
	mostTime  = 5 * time.Second // with the machine busy; alone, none takes half a second
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
func measured(t *testing.T, b []byte) (catalog.Package, error) {
	t.Helper()
	var c catalog.Package
	var err error
	start := time.Now()
	used := int64(allocated(func() { c, err = read(bytes.NewReader(b)) })) - int64(len(b))
	took := time.Since(start)
	if used > allowance || took > mostTime {
		t.Errorf("%d bytes beyond the %d of the package were allocated, in %v", used, len(b), took)
	}
	if most.tried++; used > most.bytes {
		most.bytes, most.hungry = used, t.Name()
	}
	if took > most.time {
		most.time, most.slow = took, t.Name()
	}
	return c, err
}
