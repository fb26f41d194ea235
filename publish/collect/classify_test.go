package collect

import (
	"strings"
	"testing"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// identities are those of ingest.
type identities struct{}

// Identity implements Identifier.
func (identities) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}

// A sweep decides by its key what an object is. An object that it takes for nothing it knows is never removed.
func TestKeysAreClassified(t *testing.T) {
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	jammy := catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9 := catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
	s := &repositorySweep{collector: &Collector{rows: identities{}}, releases: map[catalog.Release]bool{jammy: true, el9: true}}
	digest := strings.Repeat("ab", 32)
	packaged := func(r catalog.Release, f catalog.Format, name, version, arch string) catalog.Package {
		k, err := identities{}.Identity(f, name, version, arch)
		if err != nil {
			t.Fatal(err)
		}
		k.Repository, k.Distribution, k.Component = r.Repository, r.Distribution, "main"
		return k
	}
	hello := packaged(jammy, catalog.DEB, "hello", "2:1.0-1", "amd64")
	world := packaged(el9, catalog.RPM, "world", "1.0-1.el9", "x86_64")
	helloVariant, worldVariant := hello, world
	helloVariant.Variant, worldVariant.Variant = layout.VariantOf(digest), layout.VariantOf(digest)
	const index, file, unknown = "an index", "a package", "unknown"
	for _, tt := range []struct{ name, key, want string }{
		{"an index of apt by its digest", layout.ByHashKey(layout.DebDir(jammy)+"/main/binary-amd64/Packages.gz", digest), index},
		{"an index of dnf by its digest", layout.RPMDir(el9) + "/repodata/" + digest + "-primary.xml.gz", index},
		{"a manifest", layout.ManifestKey(jammy, "7", digest), index},
		{"a list of withdrawn packages", tree.WithdrawnListKey(el9, digest), index},
		{"a chunk of one", tree.WithdrawnChunkKey(jammy, digest), index},
		{"a list of an earlier version", layout.HistoryPrefix(el9) + "yanked-" + digest + ".json.gz", index},
		{"a part of a future index", layout.PreparedPrefix(el9) + "7-nonce/job/0.gz", index},
		{"a DEB with an epoch", layout.PoolKey(hello), file},
		{"an RPM", layout.RPMKey(world, "x86_64"), file},
		{"a DEB of a mutable repository", layout.PoolKey(helloVariant), file},
		{"an RPM of a mutable repository", layout.RPMKey(worldVariant, "x86_64"), file},
		{"a pointer of apt", layout.PointerKey(jammy), unknown},
		{"a pointer of dnf", layout.PointerKey(el9), unknown},
		{"its signature", tree.SignatureKey(el9), unknown},
		{"a plain-named index", layout.DebDir(jammy) + "/main/binary-amd64/Packages.gz", unknown},
		{"settings", layout.SettingsKey(tools), unknown},
		{"a public key", layout.GPGKeyKey(tools), unknown},
		{"what clients install", layout.SourcesKey(tools, jammy.Distribution), unknown},
		{"an index of a distribution without settings", strings.Replace(layout.ByHashKey(layout.DebDir(jammy)+"/main/binary-amd64/Packages.gz", digest), "jammy", "noble", 1), unknown},
		{"an RPM in a directory that is not its own", strings.Replace(layout.RPMKey(world, "x86_64"), "world-1.0-1.el9.x86_64", "world-1.0-1.el9.aarch64", 1), unknown},
		{"a file that others put beside packages", strings.TrimSuffix(layout.PoolKey(hello), ".deb") + ".changes", unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := unknown
			if _, ok := s.indexOf(tt.key); ok {
				got = index
			} else if k, ok := s.packageOf(tt.key); ok {
				if got = file; k.Canonical != hello.Canonical && k.Canonical != world.Canonical || (k.Variant != "") != strings.Contains(tt.key, "."+layout.VariantOf(digest)) {
					t.Errorf("%s is of %s %s, variant %q", tt.key, k.Name, k.Canonical, k.Variant)
				}
			}
			if got != tt.want {
				t.Errorf("%s is %s, want %s", tt.key, got, tt.want)
			}
		})
	}
}
