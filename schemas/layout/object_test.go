package layout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/layout"
)

// serve/CONTRACT.md, "Caching of objects"
func TestObjectOf(t *testing.T) {
	const (
		pointer   = "public, max-age=30, s-maxage=30, must-revalidate"
		immutable = "public, max-age=31536000, immutable"
		file      = "public, max-age=31536000, s-maxage=86400, immutable"
		config    = "public, max-age=300"
	)
	sum := strings.Repeat("ab", 32)
	for _, tt := range []struct{ name, key, contentType, cache string }{
		{"InRelease is asked for again", "acme/tools/ubuntu/dists/jammy/InRelease", "text/plain; charset=utf-8", pointer},
		{"Release is asked for again", "acme/tools/ubuntu/dists/jammy/Release", "text/plain; charset=utf-8", pointer},
		{"Release.gpg is asked for again", "acme/tools/ubuntu/dists/jammy/Release.gpg", "application/pgp-signature", pointer},
		{"a plain index is asked for again", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz", "application/gzip", pointer},
		{"a by-hash index never changes", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + sum, "application/octet-stream", immutable},
		{"a deb never changes but leaves the edge", layout.PoolKey(debPackage("hello", "1:1.0", "amd64")), "application/vnd.debian.binary-package", file},
		{"a package may have a pointer's name", "acme/tools/ubuntu/pool/jammy/main/r/repodata/repodata_1_all.deb", "application/vnd.debian.binary-package", file},
		{"an rpm never changes but leaves the edge", "acme/tools/el/9/x86_64/hello-1.0-1.x86_64.rpm", "application/x-rpm", file},
		{"repomd.xml is not cached", "acme/tools/el/9/x86_64/repodata/repomd.xml", "text/xml; charset=utf-8", "no-cache"},
		{"its signature is not cached", "acme/tools/el/9/x86_64/repodata/repomd.xml.asc", "application/pgp-signature", "no-cache"},
		{"a checksum-named index never changes", "acme/tools/el/9/x86_64/repodata/" + sum + "-primary.xml.gz", "application/gzip", immutable},
		{"keys are asked for again", "acme/tools/gpgkey", "application/pgp-keys", config},
		{"the instance's keys are asked for again", layout.InstanceKeyKey, "application/pgp-keys", config},
		{"a shared key is asked for again", layout.SharedKeyKey("3D645A26AB9FBD22"), "application/pgp-keys", config},
		{"the key beside repomd.xml is not cached", layout.MetadataKeyKey(el9), "application/pgp-keys", "no-cache"},
		{"apt's configuration is asked for again", "acme/tools/ubuntu/jammy.sources", "text/plain; charset=utf-8", config},
		{"dnf's configuration is asked for again", "acme/tools/el/9.repo", "text/plain; charset=utf-8", config},
		{"an install script is asked for again", "install/repositories/acme/tools/script.deb.sh", "text/plain; charset=utf-8", config},
		{"a base URL is asked for again", "install/repositories/acme/tools/el/9/rpm_base_url", "text/plain; charset=utf-8", config},
		{"settings are nobody's", ".repomill/acme/tools.json", "application/json", "private, no-store"},
		{"a manifest is nobody's", layout.ManifestKey(el9, "1", sum), "application/json", "private, no-store"},
		{"a public half in the bucket is never served", layout.SigningKeyKey(sum), "application/pgp-keys", "private, no-store"},
		{"anything else is asked for again", "acme/tools/unknown", "application/octet-stream", pointer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := layout.Object{Key: tt.key, ContentType: tt.contentType, CacheControl: tt.cache}
			if diff := cmp.Diff(want, layout.ObjectOf(tt.key)); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

// A package has a name, wherever its URL came from; nothing else has one.
func TestContentDisposition(t *testing.T) {
	for key, want := range map[string]string{
		layout.PoolKey(debPackage("hello", "1:1.0~rc1+b2", "amd64")): `attachment; filename="hello_1.0~rc1+b2_amd64.deb"`,
		"acme/tools/el/9/x86_64/e1/hello-1^git1-1.x86_64.rpm":        `attachment; filename="hello-1^git1-1.x86_64.rpm"`,
		"acme/tools/ubuntu/dists/jammy/InRelease":                    "",
		"acme/tools/el/9.repo":                                       "",
		"acme/tools/gpgkey":                                          "",
	} {
		if got := layout.ObjectOf(key).ContentDisposition(); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}
