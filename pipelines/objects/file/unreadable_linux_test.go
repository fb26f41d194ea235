package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that may not be read is a fault that says what to do, and is not taken for one that is gone.
func TestOpenUnreadableFile(t *testing.T) {
	s := openStaging(t)
	write(t, s, "acme/hello.deb", "x")
	must(t, os.Chmod(filepath.Join(s.Path(), "acme/hello.deb"), 0))
	u, err := s.Stat(t.Context(), "acme/hello.deb")
	must(t, err)
	withoutRights(t, func() { _, _, err = s.Open(t.Context(), u) })
	const want = "open acme/hello.deb: the user of the worker may not read it: chmod a+r lets everybody: "
	if !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// withoutRights runs f without root's right to read everything.
func withoutRights(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	must(t, unix.Capget(&header, &before[0]))
	without := before
	without[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	must(t, unix.Capset(&header, &without[0]))
	defer unix.Capset(&header, &before[0]) //nolint:errcheck // it was so before
	f()
}
