package clients_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
)

// pythonGunzip prints the digests of what Python makes of gzip files.
const pythonGunzip = `
import gzip, hashlib, sys
for path in sys.argv[1:]:
    h = hashlib.sha256()
    with gzip.open(path) as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    print(h.hexdigest())`

// Common gzip programs decompress indexes to the texts whose digests the pointer has.
func readGunzip(t *testing.T, s *site) func(*testing.T, realPackage) {
	var paths, want []string
	for _, x := range s.indexes(t) {
		paths, want = append(paths, x.path), append(want, x.sha256)
	}
	t.Run("zcat", func(t *testing.T) {
		proctest.Need(t, "zcat")
		for i, path := range paths {
			if got := sha256Of(proctest.Must(t, nil, "zcat", path)); got != want[i] {
				t.Errorf("the text of %s has the digest %s, want %s", path, got, want[i])
			}
		}
	})
	t.Run("python3", func(t *testing.T) {
		proctest.Need(t, "python3")
		got := strings.Fields(proctest.Must(t, nil, "python3", append([]string{"-c", pythonGunzip}, paths...)...))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("digests (-want +got):\n%s", diff)
		}
	})
	t.Run("file", func(t *testing.T) {
		proctest.Need(t, "file")
		for line := range strings.Lines(proctest.Must(t, nil, "file", append([]string{"--brief"}, paths...)...)) {
			if !strings.HasPrefix(line, "gzip compressed data") {
				t.Errorf("an index is %s", line)
			}
		}
	})
	return nil
}
