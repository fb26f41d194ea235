package clients_test

import (
	"os"
	"path/filepath"
	"testing"

	"repomill/testdata/proctest"
)

// An overlay is a whole system of its own over a root, which stays as it is: many can be set up at the same time.
type overlay struct{ lower, dir string }

func newOverlay(t *testing.T, lower string) overlay {
	t.Helper()
	o := overlay{lower, proctest.OpenDir(t)}
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(o.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// sh runs a script in the system, as its root, without input.
func (o overlay) sh(t *testing.T, script string) proctest.Answer {
	t.Helper()
	return proctest.Run(t, []string{"HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, "unshare", "--mount", "/bin/sh", "-c",
		`mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$1/root" && mount --rbind /dev "$1/root/dev" &&
mount -t proc proc "$1/root/proc" && exec chroot "$1/root" /bin/sh -c "$2"`, o.lower, o.dir, script)
}

// read returns the one file that matches a pattern, as the system sees it, or nothing if there is none.
func (o overlay) read(t *testing.T, pattern string) []byte {
	t.Helper()
	paths := glob(t, filepath.Join(o.dir, "upper", pattern)) // what a client fetched lies in the upper folder
	switch len(paths) {
	case 0:
		return nil
	case 1:
	default:
		t.Fatalf("more than one file matches %s: %q", pattern, paths)
	}
	body, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return body
}
