package layout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func distribution(s string) catalog.Distribution {
	os, version, _ := strings.Cut(s, "/")
	return catalog.Distribution{OS: os, Version: version}
}

func TestLookup(t *testing.T) {
	table := layout.DefaultTable()
	for _, tt := range []struct {
		name string
		want layout.Distro
	}{
		{"ubuntu/jammy", layout.Distro{Format: catalog.DEB, Client: layout.Apt, Architectures: []string{"amd64", "arm64"}, Aliases: []string{"ubuntu/22.04", "linuxmint/21", "linuxmint/vanessa", "linuxmint/vera", "linuxmint/victoria", "linuxmint/virginia", "pop/22.04", "elementary/7", "zorin/17"}}},
		{"raspbian/trixie", layout.Distro{Format: catalog.DEB, Client: layout.Apt, Architectures: []string{"arm64", "armhf"}, Aliases: []string{"raspbian/13", "raspberrypi/13"}}},
		{"opensuse/15.6", layout.Distro{Format: catalog.RPM, Architectures: []string{"SRPMS", "aarch64", "x86_64"}, Client: layout.Zypper, Keys: []string{"RSA", "Ed25519"}, Aliases: []string{"opensuse-leap/15.6", "leap/15.6"}, Multilib: true}},
		{"kali/kali-rolling", layout.Distro{Format: catalog.DEB, Client: layout.Apt, Architectures: []string{"amd64", "arm64"}, Aliases: []string{"kali/rolling", "kali/kali"}}},
		{"any/any", layout.Distro{Format: catalog.DEB, Client: layout.Apt, Architectures: []string{"amd64", "arm64"}, Aliases: []string{"deb_any/deb_any", "debian/any", "ubuntu/any"}}},
		{"rpm_any/rpm_any", layout.Distro{Format: catalog.RPM, Client: layout.Dnf, Architectures: []string{"SRPMS", "aarch64", "x86_64"}, Aliases: []string{"any/rpm", "rpm/any"}, Multilib: true, I386: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Distribution = distribution(tt.name)
			got, rej := table.Lookup(distribution(tt.name))
			if rej != nil {
				t.Fatal(rej)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("distribution (-want +got):\n%s", diff)
			}
		})
	}
}

// What the clients of a distribution do, by distributions that differ.
func TestClientsOfRPMDistributions(t *testing.T) {
	table := layout.DefaultTable()
	type facts struct{ multilib, i386, strongDigests, rsaOnly, noZstd, noRich bool }
	for name, want := range map[string]facts{
		"el/7":                {multilib: true, i386: true, rsaOnly: true, noZstd: true, noRich: true},
		"el/8":                {multilib: true},
		"el/9":                {multilib: true},
		"el/10":               {},
		"fedora/40":           {multilib: true},
		"fedora/42":           {multilib: true},
		"fedora/43":           {multilib: true, strongDigests: true},
		"fedora/rawhide":      {multilib: true, strongDigests: true},
		"amazon/2":            {multilib: true, rsaOnly: true, noZstd: true, noRich: true},
		"amazon/2023":         {},
		"opensuse/15.6":       {multilib: true},
		"opensuse/16.0":       {},
		"opensuse/tumbleweed": {multilib: true, i386: true},
		"sles/12.5":           {multilib: true, rsaOnly: true, noZstd: true, noRich: true},
		"sles/15.6":           {multilib: true},
		"rpm_any/rpm_any":     {multilib: true, i386: true},
	} {
		d, rej := table.Lookup(distribution(name))
		if rej != nil {
			t.Fatal(rej)
		}
		if got := (facts{d.Multilib, d.I386, d.StrongDigests, d.RSAOnly, d.RPMLacks("PayloadIsZstd"), d.RPMLacks("RichDependencies")}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestLookupRejects(t *testing.T) {
	table := layout.DefaultTable()
	for _, tt := range []struct{ name, distribution, detail string }{
		{"a clone is named", "rocky/9", "use el/9"},
		{"a clone at its minor version is named", "rocky/9.4", "use el/9"},
		{"a minor version is named", "el/9.2", "use el/9"},
		{"a release number is named", "ubuntu/22.04", "use ubuntu/jammy"},
		{"a point release is named", "debian/12.5", "use debian/bookworm"},
		{"another name of openSUSE is named", "leap/15.6", "use opensuse/15.6"},
		{"a point release of Ubuntu is none of the table", "ubuntu/22.04.3", "use ubuntu/jammy"},
		{"Linux Mint has the packages of Ubuntu", "linuxmint/21.3", "use ubuntu/jammy"},
		{"Linux Mint by codename", "linuxmint/zena", "use ubuntu/noble"},
		{"LMDE has the packages of Debian", "lmde/6", "use debian/bookworm"},
		{"the security suite of a release", "ubuntu/jammy-security", "use ubuntu/jammy"},
		{"the updates of a release by number", "ubuntu/22.04-updates", "use ubuntu/jammy"},
		{"the backports of a release", "debian/bookworm-backports", "use debian/bookworm"},
		{"a suite of no release", "ubuntu/jamy-security", "--distributions FILE"},
		{"stable is a release", "debian/stable", "use debian/trixie"},
		{"a service pack", "sles/15-sp6", "use sles/15.6"},
		{"a major version with service packs", "sles/15", "use sles/15.5, or sles/15.6, or sles/15.7"},
		{"a name of what has several versions is that of the newest", "opensuse/leap", "did you mean opensuse/16.0?"},
		{"a major version with minor ones", "opensuse/15", "use opensuse/15.5, or opensuse/15.6"},
		{"another number is no slip of the pen", "fedora/39", "which has fedora/40, fedora/41"},
		{"a slip of the pen is near", "ubuntu/jamy", "did you mean ubuntu/jammy?"},
		{"a missing letter is near", "debian/bokworm", "did you mean debian/bookworm?"},
		{"nothing is near", "plan9/4", "--distributions FILE"},
		{"names are in lower case", "Ubuntu/jammy", "did you mean ubuntu/jammy?"},
		{"no name", "", "--distributions FILE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rej := table.Lookup(distribution(tt.distribution))
			if rej == nil {
				t.Fatalf("got %+v", got)
			}
			if rej.Reason != catalog.UnknownDistribution || !strings.Contains(rej.Detail, tt.detail) {
				t.Errorf("got %v, want %s with %q", rej, catalog.UnknownDistribution, tt.detail)
			}
		})
	}
}

// An alias belongs to one distribution and is none itself, or a rejection would send people astray.
func TestDefaultTableIsUnambiguous(t *testing.T) {
	table := layout.DefaultTable()
	seen := map[string]string{}
	for _, d := range table.All() {
		for _, name := range append([]string{d.Distribution.String()}, d.Aliases...) {
			if other, ok := seen[name]; ok {
				t.Errorf("%s is %s and %s", name, other, d.Distribution)
			}
			seen[name] = d.Distribution.String()
		}
		if !slices.IsSorted(d.Architectures) || len(d.Architectures) == 0 {
			t.Errorf("%s has architectures %q", d.Distribution, d.Architectures)
		}
		if _, rej := layout.ParseStaging("acme/tools/" + d.Distribution.String() + "/f"); rej != nil {
			t.Errorf("%s cannot be pushed to: %v", d.Distribution, rej)
		}
	}
}

func TestExtend(t *testing.T) {
	table := layout.DefaultTable()
	before := len(table.All())
	err := table.Extend(strings.NewReader(`[
		{"name": "alpha/1", "format": "rpm", "client": "yum", "aliases": ["alfa/1"]},
		{"name": "ubuntu/jammy", "format": "deb", "architectures": ["riscv64", "amd64"]}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	want := layout.Distro{Distribution: distribution("alpha/1"), Format: catalog.RPM, Client: layout.Yum, Architectures: []string{"SRPMS", "aarch64", "x86_64"}, Aliases: []string{"alfa/1"}}
	if got, rej := table.Lookup(want.Distribution); rej != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, rej, want)
	}
	want = layout.Distro{Distribution: jammy.Distribution, Format: catalog.DEB, Client: layout.Apt, Architectures: []string{"amd64", "riscv64"}}
	if got, rej := table.Lookup(want.Distribution); rej != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, rej, want)
	}
	if _, rej := table.Lookup(distribution("alfa/1")); rej == nil || !strings.Contains(rej.Detail, "use alpha/1") {
		t.Errorf("got %v, want alpha/1 to be named", rej)
	}
	if got := len(table.All()); got != before+1 {
		t.Errorf("got %d distributions, want %d", got, before+1)
	}
	if _, rej := layout.DefaultTable().Lookup(distribution("alpha/1")); rej == nil {
		t.Error("one table's extension is in another")
	}
}

func TestExtendRefuses(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"no JSON", `ubuntu/jammy`, "it is not a list of distributions in JSON"},
		{"an object", `{"name": "a/1", "format": "rpm"}`, "it is not a list of distributions in JSON"},
		{"nothing", ``, "it is not a list of distributions in JSON"},
		{"an unknown field", `[{"name": "a/1", "format": "rpm", "arch": ["x86_64"]}]`, `unknown field "arch"`},
		{"a second list", `[{"name": "a/1", "format": "rpm"}] [{"name": "a/2", "format": "rpm"}]`, "more than one list"},
		{"an unclosed list", `[{"name": "a/1", "format": "rpm"}`, "it is not a list of distributions in JSON"},
		{"no name", `[{"format": "rpm"}]`, "name must be os/version"},
		{"a name without a version", `[{"name": "a", "format": "rpm"}]`, `distribution "a": name must be os/version`},
		{"a name in capitals", `[{"name": "A/1", "format": "rpm"}]`, "name must be os/version"},
		{"a name of three parts", `[{"name": "a/1/x", "format": "rpm"}]`, "name must be os/version"},
		{"a reserved os", `[{"name": "packages/1", "format": "rpm"}]`, "name must be os/version"},
		{"a reserved version", `[{"name": "a/dists", "format": "deb"}]`, "name must be os/version"},
		{"no format", `[{"name": "a/1"}]`, `format must be "deb" or "rpm"`},
		{"an unknown format", `[{"name": "a/1", "format": "apk"}]`, `format must be "deb" or "rpm"`},
		{"a client of the other format", `[{"name": "a/1", "format": "rpm", "client": "apt"}]`, "client of a rpm distribution must be one of"},
		{"what only rpm distributions have", `[{"name": "a/1", "format": "deb", "multilib": true}]`, "for rpm distributions only"},
		{"zstd for an rpm distribution", `[{"name": "a/1", "format": "rpm", "no_zstd": true}]`, "no_zstd is for deb distributions only"},
		{"the rpm of a deb distribution", `[{"name": "a/1", "format": "deb", "rpm": "4.11"}]`, "for rpm distributions only"},
		{"a version of rpm in three parts", `[{"name": "a/1", "format": "rpm", "rpm": "4.11.3"}]`, "should be its version as MAJOR.MINOR"},
		{"a version of rpm in one part", `[{"name": "a/1", "format": "rpm", "rpm": "6"}]`, "should be its version as MAJOR.MINOR"},
		{"a kind of key that does not exist", `[{"name": "a/1", "format": "rpm", "keys": ["RSA", "DSA"]}]`, `"DSA" is none of`},
		{"kinds of keys without RSA", `[{"name": "a/1", "format": "rpm", "keys": ["Ed25519"]}]`, `keys must have "RSA"`},
		{"all as architecture", `[{"name": "a/1", "format": "deb", "architectures": ["all"]}]`, `architecture "all" is not allowed`},
		{"noarch as architecture", `[{"name": "a/1", "format": "rpm", "architectures": ["noarch"]}]`, `architecture "noarch" is not allowed`},
		{"an architecture with a slash", `[{"name": "a/1", "format": "rpm", "architectures": ["x/y"]}]`, `architecture "x/y" is not allowed`},
		{"a folder of DEB repositories as architecture", `[{"name": "a/1", "format": "rpm", "architectures": ["pool"]}]`, `architecture "pool" is not allowed`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := layout.DefaultTable().Extend(strings.NewReader(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"main", "contrib", "non-free"}
	for s, want := range map[string]string{
		"main": "main", "mian": "", "mai": "main", "contirb": "contrib", "nonfree": "non-free", "universe": "", "": "", "mainn": "main",
	} {
		if got := layout.Nearest(s, names); got != want {
			t.Errorf("nearest to %q: got %q, want %q", s, got, want)
		}
	}
	if got := layout.Nearest("ab", []string{"aa", "bb"}); got != "" {
		t.Errorf("got %q for two letters, one of them wrong", got)
	}
	if got := layout.Nearest("jammy", []string{"jamma", "jammo"}); got != "jamma" {
		t.Errorf("got %q, want the first of equals", got)
	}
}
