package clients_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
)

// A mirror of dnf reposync has our indexes, and clients install from it.
func readReposync(t *testing.T, s *site) func(*testing.T, realPackage) {
	d := newDnf(t, s, "reposync", s.fetch(t, "acme/tools/el/9.repo"))
	mirror := d.dir + "/mirror/acme_tools"
	check := func(t *testing.T, files ...realPackage) {
		t.Helper()
		d.run(t, "reposync", "--refresh", "--download-metadata", "--download-path", d.dir+"/mirror",
			"--setopt=acme_tools.includepkgs="+strings.Join(realNames(files), ","))
		wantDownloads(t, mirror+"/*.rpm", files...)
		want, got := map[string]string{}, map[string]string{} // digests
		for _, path := range s.metadata(t) {
			name := filepath.Base(path)
			want[name] = digests(t, path)[0]
			if sums := digests(t, filepath.Join(mirror, "repodata", name)); len(sums) > 0 {
				got[name] = sums[0]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the mirror's repodata (-want +got):\n%s", diff)
		}
	}
	check(t, s.real...)
	t.Run("installed", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("installing needs root")
		}
		repo := fmt.Sprintf("[mirror]\nname=mirror\nbaseurl=file://%s\nrepo_gpgcheck=1\ngpgcheck=0\ngpgkey=%s/acme/tools/gpgkey\n", mirror, s.url)
		client := newDnf(t, s, "reposync-client", repo)
		client.run(t, append([]string{"install"}, realNames(s.real)...)...)
		got := strings.Fields(proctest.Must(t, nil, "rpm", "--root", client.dir+"/root", "-qa", "--qf", `%{NAME}\n`))
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(realNames(s.real))); !slices.Equal(got, want) {
			t.Errorf("installed %q, want %q", got, want)
		}
	})
	return func(t *testing.T, more realPackage) { check(t, append(s.real, more)...) }
}

// metadata returns the paths of what a mirror must have of a release.
func (s *site) metadata(t *testing.T) []string {
	t.Helper()
	repodata := s.path(s.release.String() + "/repodata/")
	paths := []string{repodata + "/repomd.xml", repodata + "/repomd.xml.asc"}
	for _, x := range s.indexes(t) {
		paths = append(paths, x.path)
	}
	return paths
}
