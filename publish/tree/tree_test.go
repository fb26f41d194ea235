package tree_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

func TestPointerOfIsTheInverseOfManifestKey(t *testing.T) {
	digest := strings.Repeat("0f", 32)
	for _, r := range []catalog.Release{jammy, el9} {
		key := tree.ManifestKey(r, catalog.Revision{Number: 12, Nonce: "n"}, digest)
		if got, ok := tree.PointerOf(r, key); got != digest || !ok {
			t.Errorf("%s: got %q, %t", key, got, ok)
		}
		for name, other := range map[string]string{
			"a list of withdrawn packages": tree.WithdrawnListKey(r, digest),
			"a chunk of one":               tree.WithdrawnChunkKey(r, digest),
			"a digest in capitals":         tree.ManifestKey(r, catalog.Revision{Number: 12}, strings.ToUpper(digest)),
			"something below it":           key + "/more",
			"the pointer":                  layout.PointerKey(r),
		} {
			if got, ok := tree.PointerOf(r, other); ok {
				t.Errorf("%s: %s is taken for the manifest of %s", name, other, got)
			}
		}
	}
	if _, ok := tree.PointerOf(el9, tree.ManifestKey(jammy, catalog.Revision{Number: 12}, digest)); ok {
		t.Error("a manifest of jammy is taken for one of el9")
	}
}

// keys is a bucket of which only the keys matter.
type keys []string

// List implements tree.Lister.
func (k keys) List(_ context.Context, prefix string, f func(string, layout.Meta) error) error {
	for _, key := range k {
		if strings.HasPrefix(key, prefix) {
			if err := f(key, layout.Meta{}); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestRepositoriesAreThoseWithSettings(t *testing.T) {
	other := catalog.Repository{Owner: "acme", Name: "agents"}
	bucket := keys{
		layout.SettingsKey(tools), layout.SettingsKey(other), layout.PointerKey(jammy),
		layout.SettingsPrefix + "acme/notes.txt", layout.SettingsPrefix + "acme/a/b.json", layout.SettingsPrefix + "README.json",
	}
	got, err := tree.Repositories(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]catalog.Repository{other, tools}, got); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
}

func TestIsKeyOfItsOwnPackageOnly(t *testing.T) {
	rpm := func(arch string, multilib bool) catalog.Package {
		return catalog.Package{
			Repository: tools, Distribution: el9.Distribution, Format: catalog.RPM, Name: "world", Version: "1-1", Arch: arch, Multilib: multilib,
		}
	}
	hello := catalog.Package{
		Repository: tools, Distribution: jammy.Distribution, Format: catalog.DEB, Name: "hello", Version: "1", Arch: "amd64", Component: "main",
	}
	nowhere := hello
	nowhere.Component = ""
	for _, tt := range []struct {
		name string
		key  string
		k    catalog.Package
		want bool
	}{
		{"a DEB in the pool", layout.PoolKey(hello), hello, true},
		{"a DEB without a component", layout.PoolKey(nowhere), nowhere, false},
		{"a DEB above the pool", "acme/tools/../" + layout.PoolKey(hello), hello, false},
		{"an RPM of its architecture", layout.RPMKey(rpm("x86_64", false), "x86_64"), rpm("x86_64", false), true},
		{"an RPM of another one", layout.RPMKey(rpm("x86_64", false), "aarch64"), rpm("x86_64", false), false},
		{"noarch anywhere", layout.RPMKey(rpm("noarch", false), "aarch64"), rpm("noarch", false), true},
		{"multilib with 64 bits", layout.RPMKey(rpm("i686", true), "x86_64"), rpm("i686", true), true},
		{"32 bits with 64 bits", layout.RPMKey(rpm("i686", false), "x86_64"), rpm("i686", false), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tree.IsKeyOf(tt.key, tt.k); got != tt.want {
				t.Errorf("%s: got %t", tt.key, got)
			}
		})
	}
}
