package real_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/testdata/proctest"
)

// Packages of Debian go in as they are, and come out as Debian has them.
func TestDebian(t *testing.T) {
	if os.Getenv("REPOMILL_TEST_REAL") == "" {
		t.Skip("it downloads some 450 packages; make real runs it")
	}
	for _, program := range []string{"apt-get", "apt-ftparchive", "debootstrap"} {
		if _, err := exec.LookPath(program); err != nil || os.Getuid() != 0 {
			t.Skipf("SKIPPED: it needs root and %s", program)
		}
	}
	a := openArchive(t)
	names, gone := a.wanted(t)
	base := a.minbase(t)
	files := a.download(t, append(slices.Clone(names), base...))
	t.Logf("%d packages of the list, %d of it not in the archive any more, %d of a minimal system: %d files", len(names), gone, len(base), len(files))

	s := startSite(t)
	begin := time.Now()
	target := "real/debian/debian/" + a.suite
	states := s.push(t, target, files)
	t.Logf("pushed in %s: %v", time.Since(begin).Round(time.Millisecond), states)
	ours := map[string]paragraph{}
	for _, p := range paragraphs(gunzip(t, s.fetch(t, "real/debian/debian/dists/"+a.suite+"/main/binary-"+a.arch+"/Packages.gz"))) {
		ours[p.id()] = p
	}
	if len(ours) != len(files) {
		t.Errorf("the index has %d packages, want %d", len(ours), len(files))
	}
	t.Run("equals apt-ftparchive", func(t *testing.T) {
		compare(t, ours, paragraphs(must(t, nil, "apt-ftparchive", "packages", a.dir+"/debs")), "filename",
			"sha1", "sha512", // of apt-ftparchive alone: SHA256 suffices
			"description-md5") // likewise: it is what a translation is found by
	})
	t.Run("equals Debian", func(t *testing.T) {
		var theirs []paragraph
		for _, p := range ours {
			theirs = append(theirs, a.known[p["package"]])
		}
		compare(t, ours, theirs, "filename", "description", // its long part is in Debian's Translation-en
			"description-md5", "tag", // of the archive, not of the package
			"section", "priority", "task", // which the archive overrides
			"build-essential", "important", "cnf-extra-commands", "cnf-ignore-commands", "cnf-visible-pkgname", "essential") // likewise, or of the package where it agrees
	})
	t.Run("makes a system", func(t *testing.T) { bootstrap(t, s, a, names) })
}

// compare compares each field of each package, but for some, and says how many it compared.
func compare(t *testing.T, ours map[string]paragraph, theirs []paragraph, but ...string) {
	t.Helper()
	fields, packages := 0, 0
	for _, want := range theirs {
		got := ours[want.id()]
		if got == nil {
			t.Errorf("%s is not in the index", want.id())
			continue
		}
		packages++
		for _, name := range slices.Sorted(maps.Keys(union(got, want))) {
			if slices.Contains(but, name) {
				continue
			}
			if fields++; got[name] != want[name] {
				t.Errorf("%s: %s is %.200q, want %.200q", want.id(), name, got[name], want[name])
			}
		}
	}
	if packages != len(ours) {
		t.Errorf("%d packages were compared, want %d", packages, len(ours))
	}
	t.Logf("%d fields of %d packages are equal", fields, packages)
}

func union(a, b paragraph) paragraph {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func gunzip(t *testing.T, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// bootstrap makes a minimal system from the published repository alone, and installs in it what can be.
func bootstrap(t *testing.T, s *site, a *archive, names []string) {
	block, err := armor.Decode(strings.NewReader(s.fetch(t, "real/debian/gpgkey")))
	if err != nil {
		t.Fatal(err)
	}
	key, err := io.ReadAll(block.Body)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, ring := filepath.Join(dir, "root"), write(t, dir+"/ring.gpg", string(bytes.Clone(key)))
	t.Cleanup(func() { exec.Command("umount", root+"/proc", root+"/sys").Run() }) //nolint:errcheck // debootstrap unmounts them if it ends well
	must(t, nil, "debootstrap", "--variant=minbase", "--arch="+a.arch, "--keyring="+ring, a.suite, root, s.url+"/real/debian/debian")

	write(t, root+"/etc/apt/sources.list", "")
	write(t, root+"/etc/apt/sources.list.d/real.sources", s.fetch(t, "real/debian/debian/"+a.suite+".sources"))
	in := func(args ...string) proctest.Answer { return ask(t, nil, "chroot", append([]string{root}, args...)...) }
	if u := in("apt-get", "update"); u.Code != 0 || strings.Contains(u.Stderr, "W:") {
		t.Fatalf("apt-get update in the new system: %v", u)
	}
	var installable []string
	for _, name := range names {
		if in("apt-get", "install", "-s", "--no-install-recommends", name).Code == 0 {
			installable = append(installable, name)
		}
	}
	if i := in(append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, installable...)...); i.Code != 0 {
		// some conflict with each other: one after the other
		for _, name := range installable {
			if i := in("apt-get", "install", "-y", "--no-install-recommends", name); i.Code != 0 {
				t.Errorf("install %s: %s", name, proctest.Tail(i.Stderr))
			}
		}
	}
	status, err := os.ReadFile(root + "/var/lib/dpkg/status")
	if err != nil {
		t.Fatal(err)
	}
	installed := strings.Count(string(status), "Status: install ok installed")
	if len(installable) < 50 {
		t.Errorf("only %d packages of the list can be installed", len(installable))
	}
	t.Logf("debootstrap made a system; apt installed %d packages of the list; %d are installed in all", len(installable), installed)
}
