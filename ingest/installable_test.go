package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

func TestWhatNoClientInstallsIsRejected(t *testing.T) {
	arch := func(a string) []byte { return rpmtest.Build(t, rpmtest.Spec{Arch: a}) }
	weak := rpmtest.Edit(t, arch("x86_64"), nil, func(s map[uint32]rpmtest.Entry) { delete(s, 273) })
	packed := func(compressor string) []byte { return rpmtest.Build(t, rpmtest.Spec{Compressor: compressor}) }
	needs := func(feature string) []byte { return rpmtest.Build(t, rpmtest.Spec{Requires: []string{feature}}) }
	zstd := func(control, data string) []byte { return debtest.Build(t, debtest.Spec{Control: control, Data: data}) }
	for _, tt := range []struct {
		name, distribution string
		pkg                []byte
		want               catalog.Reason // "": published
		detail             string
	}{
		{"Debian's name of x86_64", "el/9", arch("amd64"), catalog.UnknownArchitecture, "build the package for x86_64"},
		{"Go's name of aarch64", "el/9", arch("arm64"), catalog.UnknownArchitecture, "build the package for aarch64"},
		{"Debian's name of noarch", "el/9", arch("all"), catalog.UnknownArchitecture, "build the package for noarch"},
		{"any", "el/9", arch("any"), catalog.UnknownArchitecture, "build the package for noarch"},
		{"an architecture that nothing knows", "el/9", arch("vax"), catalog.UnknownArchitecture, `knows the architecture "vax"`},
		{"an architecture that is none of Debian", "debian/bookworm", debtest.Build(t, debtest.Spec{Arch: "x000q"}), catalog.UnknownArchitecture, `"x000q" is not an architecture of Debian or its ports`},
		{"a port of Debian", "debian/bookworm", debtest.Build(t, debtest.Spec{Arch: "loong64"}), "", ""},
		{"all architectures of Debian", "debian/bookworm", debtest.Build(t, debtest.Spec{Arch: "all"}), "", ""},
		{"an architecture that few have", "el/9", arch("riscv64"), "", ""},
		{"a level of x86_64", "el/9", arch("x86_64_v3"), "", ""},
		{"32-bit x86 beside x86_64", "el/9", arch("i686"), "", ""},
		{"32-bit x86 where there are systems of it", "opensuse/tumbleweed", arch("i586"), "", ""},
		{"32-bit x86 where there are none", "el/10", arch("i686"), catalog.UnknownArchitecture, "no system of el/10 installs packages for 32-bit x86 (i686)"},
		{"32-bit x86 in Leap 16", "opensuse/16.0", arch("i586"), catalog.UnknownArchitecture, "no system of opensuse/16.0"},
		{"SHA-1 alone, before rpm 6", "fedora/42", weak, "", ""},
		{"SHA-1 alone, for rpm 6", "fedora/43", weak, catalog.BadDigest, "fedora/43 has rpm 6"},
		{"SHA-256, for rpm 6", "fedora/43", arch("x86_64"), "", ""},
		{"zstd, for rpm 4.11", "el/7", packed("zstd"), catalog.Unsupported, "the rpm of el/7 cannot unpack zstd"},
		{"xz, for rpm 4.11", "el/7", packed("xz"), "", ""},
		{"zstd, for rpm 4.14", "el/8", packed("zstd"), "", ""},
		{"a source package in zstd, for rpm 4.11", "el/7", rpmtest.Build(t, rpmtest.Spec{Source: true, Compressor: "zstd"}), catalog.Unsupported, "cannot unpack zstd"},
		{"a rich dependency, for rpm 4.11", "sles/12.5", needs("rpmlib(RichDependencies) <= 4.12.0-1"), catalog.Unsupported, "such as (a or b)"},
		{"a rich dependency, for later", "sles/15.6", needs("rpmlib(RichDependencies) <= 4.12.0-1"), "", ""},
		{"a version with a caret, for rpm 4.11", "amazon/2", needs("rpmlib(CaretInVersions) <= 4.15.0-1"), catalog.Unsupported, "rpmlib(CaretInVersions)"},
		{"a file of 4 GiB, for rpm 4.11", "ol/7", needs("rpmlib(LargeFiles) <= 4.12.0-1"), catalog.Unsupported, "split it"},
		{"a feature that rpm 4.11 has", "el/7", needs("rpmlib(FileDigests) <= 4.6.0-1"), "", ""},
		{"control.tar.zst, for dpkg before 1.21.18", "debian/bullseye", zstd("zst", "xz"), catalog.Unsupported, "control.tar.zst is compressed with zstd, which the dpkg of debian/bullseye cannot unpack"},
		{"data.tar.zst, for dpkg before 1.21.18", "raspbian/bullseye", zstd("gz", "zst"), catalog.Unsupported, "data.tar.zst is compressed with zstd"},
		{"data.tar.xz, for dpkg before 1.21.18", "debian/buster", zstd("gz", "xz"), "", ""},
		{"zstd, for a later dpkg", "debian/bookworm", zstd("zst", "zst"), "", ""},
		{"zstd, for the dpkg of Ubuntu", "ubuntu/focal", zstd("zst", "zst"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.Create = true
			u := s.put("acme/new/"+tt.distribution+"/hello.pkg", tt.pkg)
			got, err := s.Store(t.Context(), u)
			var rej *catalog.Rejection
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (!errors.As(err, &rej) || rej.Reason != tt.want || !strings.Contains(rej.Detail, tt.detail)):
				t.Errorf("got %+v, %v; want %s with %q", got, err, tt.want, tt.detail)
			}
		})
	}
}
