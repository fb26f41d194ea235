// Package intaketest judges how packages are taken in: what reading one costs, and where the verdict differs from
// that of other programs on purpose.
package intaketest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"repomill/schemas/catalog"
)

// Allowance is how many bytes the intake may allocate for one package, all allocations together, beyond the bytes
// of the file.
const Allowance = 64 << 20

// A Meter measures the reading of packages, one at a time: tests that use one do not run in parallel.
type Meter struct {
	Limit time.Duration // for one package, with the machine busy

	verdicts     map[string]int // packages by what became of them
	bytes        int64          // the most beyond the file
	time         time.Duration  // the longest
	hungry, slow string         // the tests of these two
}

// Main runs the tests of a package and prints what became of the packages, and what the hungriest and the slowest took.
func (m *Meter) Main(tests *testing.M) {
	code := tests.Run()
	if testing.Verbose() {
		packages := 0
		for _, verdict := range slices.Sorted(maps.Keys(m.verdicts)) {
			packages += m.verdicts[verdict]
			fmt.Printf("%6d %s\n", m.verdicts[verdict], verdict)
		}
		fmt.Printf("%6d packages; at most %d KiB beyond the file (%s), and %v (%s)\n", packages, m.bytes>>10, m.hungry, m.time, m.slow)
	}
	os.Exit(code)
}

// Measure calls read, whose error it returns, and fails the test if that took more than a package of so many bytes may
// take.
func (m *Meter) Measure(t testing.TB, size int, read func() error) (err error) {
	t.Helper()
	start := time.Now()
	used := Allocated(func() { err = read() }) - int64(size)
	took := time.Since(start)
	if used > Allowance || took > m.Limit {
		t.Errorf("%d bytes beyond the %d of the package were allocated, in %v", used, size, took)
	}
	m.count(err)
	if used > m.bytes {
		m.bytes, m.hungry = used, t.Name()
	}
	if took > m.time {
		m.time, m.slow = took, t.Name()
	}
	return err
}

// count counts a verdict.
func (m *Meter) count(err error) {
	verdict := "accepted"
	if rej, ok := errors.AsType[*catalog.Rejection](err); ok {
		verdict = "rejected " + string(rej.Reason)
	} else if err != nil {
		verdict = "fault"
	}
	if m.verdicts == nil {
		m.verdicts = map[string]int{}
	}
	m.verdicts[verdict]++
}

// Allocated returns how many bytes are allocated while f runs, by anybody and in all.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc) //nolint:gosec // no program allocates 8 EiB
}
