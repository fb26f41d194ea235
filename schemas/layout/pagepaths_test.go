package layout_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func TestPagesHaveTheirKeysAsPaths(t *testing.T) {
	for _, key := range []string{
		layout.FrontPageKey(tools), layout.FrontTwinKey(tools), layout.FeedKey(tools), layout.StatusKey(tools),
		layout.NamesPageKey(tools, -1, ""), layout.NamesTwinKey(tools, -1, ""), layout.NamesPageKey(tools, 0, ""), layout.NamesTwinKey(tools, 0, ""),
		layout.NamesPageKey(tools, 2, "libc6"), layout.NamesTwinKey(tools, 2, "libstdc++6"), layout.NamesPageKey(tools, 0, "_hello"),
		layout.NamesPageKey(tools, 0, "foo.json"), layout.NamesPageKey(tools, 0, "index"),
		layout.NamePageKey(tools, "libstdc++6"), layout.NameTwinKey(tools, "hello"), layout.NameFeedKey(tools, "hello"),
		layout.NamePageKey(tools, "foo.json"), layout.NameTwinKey(tools, "foo.json"), layout.NamePageKey(tools, "index.html"), layout.NamePageKey(tools, "dists"),
		layout.OlderPageKey(tools, "hello", 1), layout.OlderTwinKey(tools, "hello", 12), layout.FilesPageKey(tools, "hello", sum),
		layout.VersionPageKey(tools, "hello", "2.10-3"), layout.VersionPageKey(tools, "hello", "1:2.10~rc1+b2"), layout.VersionPageKey(tools, "hello", "1^git1-1"),
		layout.VersionPageKey(tools, "hello", "1:2:3"), layout.VersionPageKey(tools, "hello", ".5-1"), layout.VersionPageKey(tools, "hello", "~rc-1"),
		layout.VersionPageKey(tools, "hello", "pool"), layout.VersionPageKey(tools, "hello", "_1-1"),
		layout.SnapshotsPageKey(tools), layout.SnapshotsTwinKey(tools), layout.OlderSnapshotsPageKey(tools, 1), layout.OlderSnapshotsTwinKey(tools, 20),
		layout.NamesPageKey(tools, 0, strings.Repeat("a", 247)), layout.NameTwinKey(tools, strings.Repeat("a", 247)),
	} {
		ref, ok := layout.Parse(key)
		if want := (layout.Ref{Repository: tools, Key: key}); !ok || ref != want || !ref.IsPage() || layout.Hidden(key) || ref.Spelling(key) != layout.Plain {
			t.Errorf("%s: got %+v, %v; want %+v", key, ref, ok, want)
		}
	}
	for _, key := range []string{layout.RootPageKey, layout.OwnerPageKey("acme"), layout.AssetKey("style-0123456789abcdef.css"), layout.AssetKey("icon-" + sum + ".svg")} {
		if ref, ok := layout.Parse(key); !ok || ref != (layout.Ref{Key: key}) || !ref.IsPage() {
			t.Errorf("%s: got %+v, %v; want a page outside of every repository", key, ref, ok)
		}
	}
}

func TestFoldersOfPages(t *testing.T) {
	for path, want := range map[string]string{
		"": "index.html", "acme/": "acme/index.html", "acme/tools/": layout.FrontPageKey(tools), "acme/tools/names/": layout.NamesPageKey(tools, -1, ""),
		"acme/tools/p/hello/":                   layout.NamePageKey(tools, "hello"),
		"acme/tools/p/foo.json/":                layout.NamePageKey(tools, "foo.json"),
		"acme/tools/p/foo.json/1-1/":            layout.VersionPageKey(tools, "foo.json", "1-1"),
		"acme/tools/p/hello/2.10-3/":            layout.VersionPageKey(tools, "hello", "2.10-3"),
		"acme/tools/p/hello/2:9.0-1/":           layout.VersionPageKey(tools, "hello", "9.0-1"),
		"acme/tools/p/hello/1:2:3/":             layout.VersionPageKey(tools, "hello", "1:2:3"),
		"acme/tools/p/hello/2:9.0-1/index.html": layout.VersionPageKey(tools, "hello", "9.0-1"),
		"acme/tools/p/hello/_3/":                layout.OlderPageKey(tools, "hello", 3),
		"acme/tools/p/hello/_3.json":            layout.OlderTwinKey(tools, "hello", 3),
		"acme/tools/p/hello.json":               layout.NameTwinKey(tools, "hello"),
	} {
		if ref, ok := layout.Parse(path); !ok || ref.Key != want || ref.MovedTo != "" || !ref.IsPage() || ref.Spelling(path) != layout.Plain {
			t.Errorf("%q: got %+v, %v; want %s", path, ref, ok, want)
		}
	}
	if ref, ok := layout.Parse("acme"); !ok || ref != (layout.Ref{Key: "acme/index.html", MovedTo: "acme/"}) {
		t.Errorf("an owner without a slash: %+v, %v", ref, ok)
	}
}

func TestMovedPages(t *testing.T) {
	for _, tt := range []struct {
		fact, path, want string
		temporary        bool
	}{
		{"a repository without its slash", "acme/tools", "acme/tools/", false},
		{"a package without its slash", "acme/tools/p/libstdc++6", "acme/tools/p/libstdc++6/", false},
		{"a version without its slash", "acme/tools/p/hello/2.10-3", "acme/tools/p/hello/2.10-3/", false},
		{"a version with its epoch", "acme/tools/p/hello/2:9.0-1", "acme/tools/p/hello/9.0-1/", false},
		{"the snapshots without their slash", "acme/tools/snapshots", "acme/tools/snapshots/", false},
		{"a snapshot without its slash", "acme/tools/snapshots/20261129T021500Z", "acme/tools/snapshots/20261129T021500Z/", false},
		{"a name of a snapshot without its slash", "acme/tools/snapshots/19.5", "acme/tools/snapshots/19.5/", false},
		{"older snapshots without their slash", "acme/tools/snapshots/_2", "acme/tools/snapshots/_2/", false},
		{"older versions without their slash", "acme/tools/p/hello/_2", "acme/tools/p/hello/_2/", false},
		{"the folder of packages", "acme/tools/p/", "acme/tools/names/", false},
		{"the folder of packages without its slash", "acme/tools/p", "acme/tools/names/", false},
		{"the list of names without its slash", "acme/tools/names", "acme/tools/names/", false},
		{"the status", "acme/tools/status/", "api/v1/repos/acme/tools/status/", true},
		{"the status without its slash", "acme/tools/status", "api/v1/repos/acme/tools/status/", true},
		{"packagecloud's page of a DEB", "acme/tools/packages/ubuntu/jammy/hello_2.10-3_amd64.deb", "acme/tools/p/hello/2.10-3/", false},
		{"of a DEB by the number of its system", "acme/tools/packages/ubuntu/22.04/lib_x_1.0~rc1+b2_all.deb", "acme/tools/p/lib_x/1.0~rc1+b2/", false},
		{"of a DEB with a colon in its version", "acme/tools/packages/ubuntu/jammy/hello_2:3_all.deb", "acme/tools/p/hello/2_3/", false},
		{"of an RPM", "acme/tools/packages/el/9/hello-world-2.10-3.el9.x86_64.rpm", "acme/tools/p/hello-world/2.10-3.el9/", false},
		{"of an RPM of a system that reads EL", "acme/tools/packages/centos/8/hello-1~rc1^git1-1.noarch.rpm", "acme/tools/p/hello/1~rc1^git1-1/", false},
		{"of an RPM whose version begins with a dot", "acme/tools/packages/el/9/hello-.5-1.noarch.rpm", "acme/tools/p/hello/_.5-1/", false},
		{"packagecloud's page of a distribution", "acme/tools/packages/el/9", "acme/tools/", false},
		{"packagecloud's page of a distribution with its slash", "acme/tools/packages/el/9/", "acme/tools/", false},
		{"packagecloud's page of all packages", "acme/tools/packages", "acme/tools/", false},
		{"packagecloud's page of install lines", "acme/tools/install", "acme/tools/", false},
		{"packagecloud's search", "app/acme/tools/search", "acme/tools/names/", true},
		{"the URI of a .sources file", "acme/tools/debian/", "acme/tools/", true},
		{"the base of GitLab's layout", "acme/tools/debian/bookworm/", "acme/tools/", true},
		{"that without its slash", "acme/tools/debian/bookworm", "acme/tools/", true},
		{"the baseurl of a .repo file", "acme/tools/el/9/x86_64", "acme/tools/", true},
		{"that with its slash", "acme/tools/el/9/x86_64/", "acme/tools/", true},
		{"the folder of a release", "acme/tools/debian/dists/bookworm/", "acme/tools/", true},
		{"a folder of packages", "acme/tools/debian/pool/bookworm/main/libs/libstdc++6/", "acme/tools/", true},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			ref, ok := layout.Parse(tt.path)
			if want := (layout.Ref{Repository: tools, MovedTo: tt.want, Temporary: tt.temporary}); !ok || ref != want || !ref.IsPage() {
				t.Errorf("got %+v, %v; want %+v", ref, ok, want)
			}
		})
	}
}

func TestNoPages(t *testing.T) {
	for _, tt := range []struct{ fact, path string }{
		{"an asset without a digest", "assets/style.css"},
		{"an asset of a short digest", "assets/style-abcdef.css"},
		{"an asset of another kind", "assets/style-0123456789abcdef.html"},
		{"the folder of assets", "assets/"},
		{"something below an asset", "assets/style-0123456789abcdef.css/index.html"},
		{"an owner that is reserved", "api/"},
		{"the owner of assets", "assets"},
		{"an owner in capitals", "Acme/"},
		{"an owner that is hidden", ".repomill/"},
		{"settings as a page", ".repomill/acme/index.html"},
		{"a repository that is hidden", "acme/.tools/"},
		{"traversal to the root", "acme/../"},
		{"traversal in a name", "acme/tools/p/../"},
		{"a hidden name", "acme/tools/p/.hello/"},
		{"a hidden version", "acme/tools/p/hello/../"},
		{"a doubled slash", "acme/tools//"},
		{"a doubled slash behind a name", "acme/tools/p/hello//"},
		{"a name of nothing", "acme/tools/p//1-1/"},
		{"something below a version", "acme/tools/p/hello/1-1/x"},
		{"a package below the pages", "acme/tools/p/hello/1-1/hello.deb"},
		{"an epoch alone", "acme/tools/p/hello/2:/"},
		{"the folder of files", "acme/tools/p/hello/_files/"},
		{"a file that is named by no digest", "acme/tools/p/hello/_files/x.html"},
		{"a file of another kind", "acme/tools/p/hello/_files/" + sum + ".json"},
		{"another file of a repository", "acme/tools/settings.json"},
		{"a word behind a repository", "acme/tools/debian"},
		{"a folder of every DEB repository without its slash", "acme/tools/debian/dists"},
		{"a file below a distribution", "acme/tools/el/9/x.iso"},
		{"a hidden folder below a distribution", "acme/tools/el/9/.x86_64/"},
		{"a doubled slash below a distribution", "acme/tools/el/9//"},
		{"a folder of a reserved owner", "api/tools/el/9/"},
		{"the folder of keys", "acme/tools/gpgkeys/"},
		{"a twin without a name", "acme/tools/p/.json"},
		{"a level that is no number", "acme/tools/names/x.html"},
		{"a level with zeros", "acme/tools/names/00/a.html"},
		{"a level as a folder", "acme/tools/names/0/"},
		{"a list of another kind", "acme/tools/names/0/a.txt"},
		{"a hidden list", "acme/tools/names/0/.a.html"},
		{"something below a list", "acme/tools/names/0/a.html/b.html"},
		{"something below the status", "acme/tools/status/x"},
		{"a blank", "acme/tools/p/a b/"},
		{"a page of snapshots that counts from 0", "acme/tools/snapshots/_0/"},
		{"a twin of a snapshot", "acme/tools/snapshots/20261129T021500Z/index.json"},
		{"a hidden snapshot", "acme/tools/snapshots/.x/"},
		{"a doubled slash below snapshots", "acme/tools/snapshots//"},
		{"markup", "acme/tools/p/<b>/"},
		{"a line end", "acme/tools/p/a\r\nb/"},
		{"a backslash", `acme/tools/p/a\b/`},
		{"letters beyond ASCII", "acme/tools/p/héllo/"},
		{"a long name", "acme/tools/p/" + strings.Repeat("a", 1000) + "/"},
		{"a name that no file system takes", "acme/tools/p/" + strings.Repeat("a", 256) + "/"},
		{"a name whose folder no file system takes", "acme/tools/p/" + strings.Repeat("a", 250) + ".json/"},
		{"a version that no file system takes", "acme/tools/p/hello/" + strings.Repeat("1", 256) + "/"},
		{"a part of the list that no file system takes", "acme/tools/names/0/" + strings.Repeat("a", 251) + ".html"},
		{"packagecloud's page of another file", "acme/tools/packages/el/9/hello.tar.gz"},
		{"packagecloud's page of a file without a version", "acme/tools/packages/ubuntu/jammy/hello.deb"},
		{"packagecloud's page of an RPM without a release", "acme/tools/packages/el/9/hello-1.x86_64.rpm"},
		{"packagecloud's page of half of a distribution", "acme/tools/packages/el"},
		{"packagecloud's page of a hidden file", "acme/tools/packages/el/9/.hello-1-1.noarch.rpm"},
		{"packagecloud's page of a folder of every repository", "acme/tools/packages/ubuntu/pool"},
		{"another page of packagecloud", "app/acme/tools/settings"},
		{"a search of a reserved owner", "app/api/tools/search"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if ref, ok := layout.Parse(tt.path); ok {
				t.Errorf("got %+v", ref)
			}
		})
	}
}

func TestNamesOfPagesAreReserved(t *testing.T) {
	for _, path := range []string{"index.html/tools/el/9/main/x.rpm", "acme/index.html/el/9/main/x.rpm", "acme/tools/feed.atom/9/main/x.rpm", "acme/tools/status.json/9/main/x.rpm"} {
		if _, rej := layout.ParseStaging(path); rej == nil || rej.Reason != catalog.ReservedName {
			t.Errorf("%s: got %v", path, rej)
		}
	}
}
