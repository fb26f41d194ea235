package clients_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// filter selects the packages that were pushed, in the language of reprepro; aptly's differs in a word.
const filter = "Package (% 0-*) | Package (% zz-*) | Package (% m-*)"

// reprepro takes the newest version of every package into account, and mirrors what a formula selects.
func readReprepro(t *testing.T, s *site) func(*testing.T, realPackage) {
	proctest.Need(t, "reprepro", "gpg", "zcat")
	dir := s.folder(t, "reprepro")
	home := s.folder(t, "reprepro/gnupg")
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"GNUPGHOME=" + home} // its agent ends when the folder is removed
	proctest.Must(t, env, "gpg", "--batch", "--quiet", "--import", write(t, dir, "key.asc", s.fetch(t, "acme/tools/gpgkey")))
	write(t, dir, "conf/distributions", "Codename: jammy\nArchitectures: amd64 arm64\nComponents: main\nDebIndices: Packages Release .gz\nUpdate: ours\n")
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	id := key.Fingerprints()[0]
	updates := fmt.Sprintf("Name: ours\nMethod: %s/acme/tools/ubuntu\nSuite: jammy\nComponents: main\nArchitectures: amd64 arm64\nVerifyRelease: %s\n",
		s.url, id[len(id)-16:]) // it takes no more digits
	write(t, dir, "conf/updates", updates)
	reprepro := func(t *testing.T, args ...string) string {
		t.Helper()
		return proctest.Must(t, env, "reprepro", append([]string{"--silent", "-b", dir}, args...)...)
	}
	compare(t, "reprepro dumpupdate", newestVersions(s.want), set(t, "reprepro dumpupdate", plannedVersions(reprepro(t, "dumpupdate", "jammy"))))

	write(t, dir, "conf/updates", updates+"FilterFormula: "+filter+"\n")
	check := func(t *testing.T, want ...realPackage) {
		t.Helper()
		reprepro(t, "update", "jammy")
		reprepro(t, "checkpool")
		wantDownloads(t, dir+"/pool/main/*/*/*.deb", want...)
		got := names("deb", proctest.Must(t, nil, "zcat", dir+"/dists/jammy/main/binary-amd64/Packages.gz"))
		if names := realNames(want); !slices.Equal(slices.Sorted(slices.Values(names)), got) {
			t.Errorf("the mirror has %q, want %q", got, names)
		}
	}
	check(t, s.real...)
	return func(t *testing.T, more realPackage) { check(t, append(s.real, more)...) }
}

// newestVersions returns "arch name version" of the one version that reprepro keeps of each package.
func newestVersions(rows []row) map[string]bool {
	newest := map[string]string{}
	for _, r := range rows {
		for _, arch := range []string{"amd64", "arm64"} {
			if r.arch == arch || r.arch == "all" {
				newest[arch+" "+r.name] = r.version // they come in order
			}
		}
	}
	all := map[string]bool{}
	for key, version := range newest {
		all[key+" "+version] = true
	}
	return all
}

// plannedVersions returns the same of what reprepro says that it would do.
func plannedVersions(dump string) (all []string) {
	arch := ""
	for line := range strings.Lines(dump) {
		if _, after, ok := strings.Cut(line, "|main|"); ok {
			arch, _, _ = strings.Cut(after, "'")
		} else if f := strings.Split(line, "'"); f[0] == "add " { // add 'NAME' - 'VERSION' 'ours'
			all = append(all, arch+" "+f[1]+" "+f[3])
		}
	}
	return all
}
