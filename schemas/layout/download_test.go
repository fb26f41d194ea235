package layout_test

import (
	"path"
	"testing"

	"repomill/schemas/layout"
)

func TestDownloads(t *testing.T) {
	for _, tt := range []struct{ name, path, want string }{
		{"a DEB package", "ubuntu/jammy/hello_2.10-3_amd64.deb/download.deb", "ubuntu/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"},
		{"without the ending", "ubuntu/jammy/hello_2.10-3_amd64.deb/download", "ubuntu/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"},
		{"a library", "debian/trixie/libhello1_1.0~rc1+b2_all.deb/download", "debian/pool/trixie/main/libh/libhello1/libhello1_1.0~rc1+b2_all.deb"},
		{"a library by its name alone", "debian/trixie/lib_1_all.deb/download", "debian/pool/trixie/main/l/lib/lib_1_all.deb"},
		{"a system by its number", "ubuntu/22.04/hello_1_amd64.deb/download", "ubuntu/pool/jammy/main/h/hello/hello_1_amd64.deb"},
		{"an RPM package", "el/9/hello-2.10-3.el9.x86_64.rpm/download.rpm", "el/9/x86_64/hello-2.10-3.el9.x86_64.rpm"},
		{"of a system that reads EL", "centos/8/hello-2.10-3.aarch64.rpm/download", "el/8/aarch64/hello-2.10-3.aarch64.rpm"},
		{"for every architecture", "el/9/hello-2.10-3.noarch.rpm/download", "el/9/x86_64/hello-2.10-3.noarch.rpm"},
		{"a source package", "el/9/hello-2.10-3.src.rpm/download.rpm", "el/9/SRPMS/hello-2.10-3.src.rpm"},
		{"for 32-bit x86 beside 64-bit", "el/9/hello-2.10-3.i686.rpm/download", "el/9/x86_64/hello-2.10-3.i686.rpm"},
		{"for 32-bit x86 alone", "acmeos/3/hello-2.10-3.i686.rpm/download", "acmeos/3/i386/hello-2.10-3.i686.rpm"},
		{"for another spelling of an architecture", "fedora/40/hello-2.10-3.armv7hl.rpm/download", "fedora/40/armhfp/hello-2.10-3.armv7hl.rpm"},
		{"a caret", "el/9/hello-1~rc1^git1-1.x86_64.rpm/download", "el/9/x86_64/hello-1~rc1^git1-1.x86_64.rpm"},

		{"a DEB package as RPM", "ubuntu/jammy/hello_2.10-3_amd64.deb/download.rpm", ""},
		{"an RPM package as DEB", "el/9/hello-2.10-3.x86_64.rpm/download.deb", ""},
		{"another file", "el/9/hello.tar.gz/download", ""},
		{"a file that is not named as a package", "ubuntu/jammy/hello.deb/download", ""},
		{"a file with too many parts", "ubuntu/jammy/hello_1_2_amd64.deb/download", ""},
		{"a file without a name", "ubuntu/jammy/_1_amd64.deb/download", ""},
		{"a folder of every repository", "ubuntu/pool/hello_1_amd64.deb/download", ""},
		{"traversal", "ubuntu/../hello_1_amd64.deb/download", ""},
		{"a hidden file", "el/9/.hello-1-1.x86_64.rpm/download", ""},
		{"an architecture that is a folder", "el/9/hello-1-1.pool.rpm/download", ""},
		{"a line break", "el/9/hello-1-1\r\n.x86_64.rpm/download", ""},
		{"a quote", `el/9/hello"-1-1.x86_64.rpm/download`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ref, ok := layout.Parse("acme/tools/packages/" + tt.path)
			if want := (layout.Ref{Repository: tools, Key: "acme/tools/" + tt.want, File: path.Base(tt.want)}); ok != (tt.want != "") || ok && ref != want {
				t.Errorf("got %+v, %v, want %+v", ref, ok, want)
			}
		})
	}
}

func TestMisplaced(t *testing.T) {
	for _, tt := range []struct{ name, path, want string }{
		{"a pool without a codename", "acme/tools/ubuntu/pool/main/h/hello/hello_1_all.deb", "acme/tools/ubuntu/pool/CODENAME/main/h/hello/hello_1_all.deb"},
		{"with an epoch", "acme/tools/ubuntu/pool/main/h/hello/e1/hello_1_all.deb", "acme/tools/ubuntu/pool/CODENAME/main/h/hello/e1/hello_1_all.deb"},
		{"with a codename", "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb", ""},
		{"below the base of a codename", "acme/tools/ubuntu/jammy/pool/main/h/hello/hello_1_all.deb", ""},
		{"no package", "acme/tools/ubuntu/pool/main/h/hello/README", ""},
		{"of a reserved owner", "api/tools/ubuntu/pool/main/h/hello/hello_1_all.deb", ""},
		{"markup", "acme/tools/ubuntu/pool/main/h/<b>/hello_1_all.deb", ""},
		{"traversal", "acme/tools/ubuntu/pool/main/../hello/hello_1_all.deb", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ref, ok := layout.Misplaced(tt.path)
			if want := (layout.Ref{Repository: tools, Key: tt.want}); ok != (tt.want != "") || ok && ref != want {
				t.Errorf("got %+v, %v, want %q", ref, ok, tt.want)
			}
		})
	}
}
