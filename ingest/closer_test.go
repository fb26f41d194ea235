package ingest_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
)

// A look at the end of a long data.tar.gz does not show whether bytes follow it or it was cut short. The worker then reads
// the package again, and says what a push and dpkg say.
func TestAGzipOfWhichALookSaysTooLittleIsReadAgain(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 3<<20)
	r.Read(noise) //nolint:errcheck // never fails
	data := debtest.Compress("gz", debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./noise", Body: string(noise)}))
	for _, tt := range []struct {
		name, behind string
		cut          int
		want         bool
		checked      catalog.Checked
	}{
		{"as it is", "", 0, true, catalog.CheckedStructure},
		{"with bytes behind it", "nonsense", 0, true, catalog.CheckedWhole},
		{"with 30,000 bytes behind it", strings.Repeat("x", 30_000), 0, true, catalog.CheckedWhole},
		{"with 400,000 bytes behind it", strings.Repeat("x", 400_000), 0, false, ""},
		{"with 400,000 zeros behind it", strings.Repeat("\x00", 400_000), 0, false, ""},
		{"cut short", "", 101, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			deb := debtest.Ar(debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
				debtest.Member{Name: "control.tar", Body: debtest.Tar(debtest.TarFile{Name: "./control", Body: "Package: hello\nVersion: 1.0\nArchitecture: amd64\nMaintainer: M <m@example.org>\nDescription: d\n"})},
				debtest.Member{Name: "data.tar.gz", Body: append(data[:len(data)-tt.cut:len(data)-tt.cut], tt.behind...)})
			stored, err := s.Store(t.Context(), s.put(debObject, deb))
			rej, rejected := errors.AsType[*catalog.Rejection](err)
			if (err == nil) != tt.want || err != nil && !rejected || stored.Checked != tt.checked {
				t.Errorf("the worker says %v and checked %q, want it taken: %v, checked %q", err, stored.Checked, tt.want, tt.checked)
			}
			if rejected && strings.Contains(rej.Detail, "a look at it does not show") {
				t.Errorf("the text says that it was not read again: %s", rej.Detail)
			}
			_, pushed := ingest.Examine(t.Context(), strings.NewReader(string(deb)), layout.Staged{Repository: tools, Distribution: jammy, File: "hello.deb"}, s.distro(jammy), ingest.DefaultMaxSize)
			if (pushed == nil) != tt.want {
				t.Errorf("a push says %v", pushed)
			}
			dpkg, err := exec.LookPath("dpkg")
			if err != nil || os.Getuid() != 0 {
				t.Skip("dpkg is not asked: it is not here, or we are not root")
			}
			root := t.TempDir()
			file := filepath.Join(root, "x.deb")
			for _, dir := range []string{"info", "updates"} {
				if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for path, body := range map[string][]byte{"var/lib/dpkg/status": nil, "x.deb": deb} {
				if err := os.WriteFile(filepath.Join(root, path), body, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := exec.Command(dpkg, "--root", root, "--force-depends,script-chrootless,architecture,unsafe-io", "--log=/dev/null", "-i", file).CombinedOutput(); (err == nil) != tt.want {
				t.Errorf("dpkg says %v: %s", err, out)
			}
		})
	}
}
