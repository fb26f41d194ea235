// Package proctest runs programs for tests: repomill itself, the servers that it needs and the clients that read from it.
// Every process that it starts ends with the tests, also if these are killed.
package proctest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Limit is how long a process may take to start or to end, and a condition to become true, also on a busy machine: a lease
// that its holder lost lasts for a minute.
const Limit = 3 * time.Minute

// Eventually waits until a condition holds. The test fails if it does not hold within the Limit.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	Until(t, what, holds, func(held bool) bool { return held })
}

// Until calls get until is holds for what it returns, and returns that. It asks often, but leaves the machine idle for longer
// than get keeps it busy. The test fails with the last value if that takes longer than the Limit.
func Until[T any](t testing.TB, what string, get func() T, is func(T) bool) T {
	t.Helper()
	for deadline := time.Now().Add(Limit); ; {
		begin := time.Now()
		got := get()
		if is(got) {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s; last: %v", Limit, what, got)
		}
		time.Sleep(max(10*time.Millisecond, min(2*time.Since(begin), time.Second)))
	}
}

// Need skips a test for which a program is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// OpenDir returns a temporary folder that other users can read, as apt's sandbox user must. Its name does not contain
// the test's, whose commas and spaces dnf would take for separators.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "repomill-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // best effort
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Build builds a command of this module, as it is released: without cgo. Flags of go build may be added.
func Build(path, pkg string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
