package layout_test

import (
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func TestKeyringNames(t *testing.T) {
	for _, tt := range []struct {
		name, repository string
		format           catalog.Format
		want, path       string
	}{
		{"a DEB repository", "acme/tools", catalog.DEB, "acme-tools-archive-keyring", "/usr/share/keyrings/acme-tools-archive-keyring.asc"},
		{"an RPM repository", "acme/tools", catalog.RPM, "acme-tools-release", "/etc/pki/rpm-gpg/RPM-GPG-KEY-acme-tools"},
		{"an underscore becomes a plus", "acme_x/to_ols", catalog.DEB, "acme+x-to+ols-archive-keyring", "/usr/share/keyrings/acme+x-to+ols-archive-keyring.asc"},
		{"digits and dots stay", "7/0.1", catalog.RPM, "7-0.1-release", "/etc/pki/rpm-gpg/RPM-GPG-KEY-7-0.1"},
	} {
		owner, name, _ := strings.Cut(tt.repository, "/")
		r := catalog.Repository{Owner: owner, Name: name}
		if got := layout.KeyringName(r, tt.format); got != tt.want {
			t.Errorf("%s: name %q, want %q", tt.name, got, tt.want)
		}
		if got := layout.KeyringPath(r, tt.format); got != tt.path {
			t.Errorf("%s: path %q, want %q", tt.name, got, tt.path)
		}
	}
}

func TestKeyringVersions(t *testing.T) {
	now := time.Date(2026, 11, 29, 23, 0, 0, 0, time.FixedZone("", -2*3600))
	for _, tt := range []struct {
		name string
		than []string
		want string
	}{
		{"the first", nil, "20261130.1"},
		{"after one of another day", []string{"20261129.7"}, "20261130.1"},
		{"after one of the same day", []string{"20261130.1"}, "20261130.2"},
		{"numbers count, not digits", []string{"20261130.9", "20261130.10"}, "20261130.11"},
		{"a clock that went back", []string{"20301231.2", "20261130.5"}, "20301231.3"},
		{"what is no version does not count", []string{"", "99999999", "1.0", "99999999.01", "20261130.-1", "x.1"}, "20261130.1"},
	} {
		got := layout.NextKeyringVersion(now, tt.than...)
		if got != tt.want || !layout.ValidKeyringVersion(got) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		for _, s := range tt.than {
			if layout.CompareKeyringVersions(s, got) != -1 || layout.CompareKeyringVersions(got, s) != 1 {
				t.Errorf("%s: %q is not older than %q", tt.name, s, got)
			}
		}
	}
}
