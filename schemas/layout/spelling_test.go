package layout_test

import (
	"slices"
	"testing"

	"repomill/schemas/layout"
)

func TestSpelling(t *testing.T) {
	seen := map[layout.Spelling]bool{}
	for _, tt := range []struct {
		fact, path, query string
		want              layout.Spelling
	}{
		{"a pointer", "acme/tools/ubuntu/dists/jammy/InRelease", "", layout.Plain},
		{"a package", "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb", "", layout.Plain},
		{"a pointer of RPM", "acme/tools/el/9/x86_64/repodata/repomd.xml", "", layout.Plain},
		{"the keys", "acme/tools/gpgkey", "", layout.Plain},
		{"the key of the instance", "gpg.key", "", layout.Plain},
		{"a script", "install/repositories/acme/tools/script.deb.sh", "", layout.Plain},
		{"a pointer below the codename", "acme/tools/ubuntu/jammy/dists/jammy/InRelease", "", layout.CodenameBase},
		{"a package below the codename", "acme/tools/ubuntu/jammy/pool/main/h/hello/hello_1.0_amd64.deb", "", layout.CodenameBase},
		{"a package below the codename, with it", "acme/tools/ubuntu/jammy/pool/jammy/main/h/hello/hello_1.0_amd64.deb", "", layout.CodenameBase},
		{"a key of packages", "acme/tools/gpgkey/acme-tools-0123456789ABCDEF.pub.gpg", "", layout.KeyPlace},
		{"the instance's key in a folder", "gpgkey/gpg.key", "", layout.KeyPlace},
		{"a key below its owner", "gpgkey/acme/0123456789ABCDEF.pub.gpg", "", layout.KeyPlace},
		{"a direct download", "acme/tools/packages/ubuntu/jammy/hello_1.0_amd64.deb/download", "", layout.DirectDownload},
		{"a configuration by query", "install/repositories/acme/tools/config_file.list", "ubuntu jammy", layout.InstallQuery},
		{"a configuration by a system in the query", "install/repositories/acme/tools/config_file.repo", "rocky 9.4", layout.InstallQuery},
		{"a configuration by a system", "install/repositories/acme/tools/rocky/9.4/config_file.repo", "", layout.InstallSystem},
		{"a configuration by distribution", "install/repositories/acme/tools/el/9/config_file.repo", "", layout.Plain},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var os, dist string
			if i := slices.Index([]byte(tt.query), ' '); i >= 0 {
				os, dist = tt.query[:i], tt.query[i+1:]
			}
			ref, ok := layout.Parse(layout.InstallPath(tt.path, func(name string) string {
				if name == "os" {
					return os
				}
				return dist
			}))
			if got := ref.Spelling(tt.path); !ok || got != tt.want {
				t.Errorf("got %q of %+v, want %q", got, ref, tt.want)
			}
			seen[tt.want] = true
		})
	}
	for _, s := range layout.Spellings() {
		if !seen[s] {
			t.Errorf("no path is spelled %s", s)
		}
	}
}
