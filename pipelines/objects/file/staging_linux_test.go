package file_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"repomill/pipelines/objects/file"
	"repomill/schemas/layout"
)

// look returns the sights of a listing, by object.
func look(t *testing.T, s *file.Staging, now time.Time) map[string]file.FileState {
	t.Helper()
	all := map[string]file.FileState{}
	must(t, s.ListFolder(t.Context(), ".", now, nil, func(v file.FileState) {
		all[v.Upload.Object] = v
		if alone, err := s.State(v.Upload.Object, now); err != nil || alone != v {
			t.Errorf("alone it is seen as %+v, %v; in the listing as %+v", alone, err, v)
		}
	}))
	return all
}

// Linux reports whether a process has a file open for writing, so that a whole file is listed at once.
func TestListOfUnfinishedFiles(t *testing.T) {
	s := openStaging(t)
	write(t, s, "acme/whole", "x")
	write(t, s, "acme/growing", "x")
	f, err := os.OpenFile(filepath.Join(s.Path(), "acme/growing"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	check := func(what string, now time.Time, want ...string) {
		t.Helper()
		var got []string
		for _, v := range look(t, s, now) {
			if v.Whole {
				got = append(got, v.Upload.Object)
			} else if !v.Due.IsZero() {
				t.Errorf("%s: only its writer can say when %s is whole, not the time: %+v", what, v.Upload.Object, v)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: whole are (-want +got):\n%s", what, diff)
		}
	}
	_, err = f.WriteString("y")
	must(t, err)
	check("while it is open for writing", time.Now(), "acme/whole")
	check("however long that is", time.Now().Add(48*time.Hour), "acme/whole")
	must(t, f.Close())
	check("when it is closed", time.Now(), "acme/growing", "acme/whole")

	r, err := os.Open(filepath.Join(s.Path(), "acme/growing"))
	must(t, err)
	defer r.Close()
	check("while it is open for reading", time.Now(), "acme/growing", "acme/whole")
}

// A file can be seen before its writer is, and some programs make it first and fill it later.
func TestListOfEmptyFiles(t *testing.T) {
	s := openStaging(t)
	pushed := "acme/" + layout.StagedName(layout.NewID(), "empty.deb")
	now := time.Now()
	must(t, os.Mkdir(filepath.Join(s.Path(), "acme"), 0o755))
	for _, object := range []string{"acme/empty", pushed} {
		must(t, os.WriteFile(filepath.Join(s.Path(), object), nil, 0o600))
	}
	made := time.Now()
	got := look(t, s, now)
	if v := got["acme/empty"]; v.Whole || v.Due.Sub(now) < time.Second || v.Due.Sub(made) > 10*time.Second {
		t.Errorf("just made it is %+v, want it to be due in some seconds", v)
	}
	if v := look(t, s, made)[pushed]; !v.Whole {
		t.Errorf("what was pushed is %+v, want it whole: it had another name before", v)
	}
	if v := look(t, s, got["acme/empty"].Due)["acme/empty"]; !v.Whole {
		t.Errorf("when it is due it is %+v", v)
	}
}

// Who may not ask for the writers of a file waits for longer than a writer pauses.
func TestListOfFilesOfOtherUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give files to others")
	}
	s := openStaging(t)
	pushed := "acme/" + layout.StagedName(layout.NewID(), "hello.deb")
	now := time.Now()
	for _, object := range []string{"acme/copied", pushed} {
		write(t, s, object, "x")
		must(t, os.Lchown(filepath.Join(s.Path(), object), 65534, 65534))
	}
	var got, made map[string]file.FileState
	withoutLeases(t, func() { got, made = look(t, s, now), look(t, s, time.Now()) })
	if v := got["acme/copied"]; v.Whole || v.Due.Sub(now) < 30*time.Second {
		t.Errorf("just copied it is %+v, want it to be due in a minute", v)
	}
	if v := made[pushed]; !v.Whole {
		t.Errorf("what was pushed is %+v, want it whole: it had another name before", v)
	}
	withoutLeases(t, func() { got = look(t, s, now.Add(2*time.Minute)) })
	if v := got["acme/copied"]; !v.Whole {
		t.Errorf("two minutes later it is %+v", v)
	}
}

// withoutLeases runs f without the right to ask for the writers of other people's files.
func withoutLeases(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	must(t, unix.Capget(&header, &before[0]))
	without := before
	without[0].Effective &^= 1 << unix.CAP_LEASE
	must(t, unix.Capset(&header, &without[0]))
	defer unix.Capset(&header, &before[0]) //nolint:errcheck // it was so before
	f()
}
