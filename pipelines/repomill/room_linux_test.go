package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// /readyz reports a full disk, and the log names it.
func TestFullDiskIsNotReady(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	if err := syscall.Mount("none", data, "tmpfs", 0, "size=72m,mode=755"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(data, syscall.MNT_DETACH) }) //nolint:errcheck // best effort
	listen := porttest.Free(t)
	s := restart(t, data, "--ops-listen", listen)
	ready := func(want int) {
		t.Helper()
		if status, body := get(t, "http://"+listen+"/readyz"); status != want {
			t.Errorf("/readyz answers %d %s, want %d", status, body, want)
		}
	}
	ready(200)
	if err := os.WriteFile(data+"/bulk", make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ready(503)
	if err := s.Await(s.Stderr, func(log string) bool { return strings.Contains(log, "the file system of "+data+"/staging is full") }); err != nil {
		t.Fatalf("the log does not say what is full: %v", err)
	}
	if err := os.Remove(data + "/bulk"); err != nil {
		t.Fatal(err)
	}
	ready(200)
}
