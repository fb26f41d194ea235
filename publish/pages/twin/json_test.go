package twin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

func compare(t *testing.T, p model.Page, key, want string) {
	t.Helper()
	if p.Key != key {
		t.Errorf("key %s, want %s", p.Key, key)
	}
	if diff := cmp.Diff(want, string(p.Body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFront(t *testing.T) {
	compare(t, renderer.Front(front()), "acme/tools/index.json", `{
 "repository":"acme/tools",
 "url":"https://packages.example.org/acme/tools/",
 "description":"Tools of Acme",
 "private":false,
 "packages":12,
 "names":3,
 "as_of":"2026-01-09T10:00:00Z",
 "distributions":[
  {"distribution":"debian/trixie","format":"deb","components":["main","extra"],"architectures":["amd64"],"configuration":"https://packages.example.org/acme/tools/debian/trixie.sources"},
  {"distribution":"ubuntu/jammy","format":"deb","components":["main"],"architectures":["amd64"],"configuration":"https://packages.example.org/install/repositories/acme/tools/ubuntu/jammy/config_file.list"},
  {"distribution":"el/9","format":"rpm","components":[],"architectures":["SRPMS","x86_64"],"configuration":"https://packages.example.org/acme/tools/el/9.repo"}
 ],
 "releases":[
  {"release":"acme/tools/debian/trixie","revision":7,"published":"2026-01-09T10:00:00Z"},
  {"release":"acme/tools/el/9/x86_64","revision":2,"published":"2026-01-08T10:00:00Z"},
  {"release":"acme/tools/ubuntu/jammy","revision":0,"published":null}
 ],
 "keys_url":"https://packages.example.org/acme/tools/gpgkey",
 "keys":[
  {"fingerprint":"0123456789ABCDEF0123456789ABCDEF01234567","user":"Acme \u003cpackages@example.org\u003e","expires":"2026-01-31T10:00:00Z"}
 ],
 "package_keys":[
  {"fingerprint":"76543210FEDCBA9876543210FEDCBA9876543210","user":"","expires":null}
 ],
 "names_twin":"names/index.json",
 "feed":"feed.atom",
 "status":"status.json",
 "retention":[
  {"distribution":"","rules":["newest 3","keep hello=1.*"],"automatic":true},
  {"distribution":"ubuntu/jammy","rules":["younger than 90 days"],"automatic":false}
 ],
 "snapshots":{
  "kept":2,
  "newest":"20260108T100000Z",
  "rule":{"every":"daily","keep":30},
  "twin":"snapshots/index.json"
 },
 "deleted":{
  "at":"2026-01-10T10:00:00Z",
  "until":"2026-01-31T10:00:00Z"
 }
}
`)
}

func TestFrontOfAnEmptyPrivateRepository(t *testing.T) {
	private := tools
	private.Private, private.Description = true, ""
	compare(t, renderer.Front(model.Front{Repository: private}), "acme/tools/index.json", `{
 "repository":"acme/tools",
 "url":"https://packages.example.org/acme/tools/",
 "description":"",
 "private":true,
 "packages":0,
 "names":0,
 "as_of":null,
 "distributions":[],
 "releases":[],
 "keys_url":"https://packages.example.org/gpg.key",
 "keys":[],
 "package_keys":[],
 "names_twin":"names/index.json",
 "feed":"feed.atom",
 "status":"status.json",
 "retention":[],
 "snapshots":null,
 "deleted":null
}
`)
}

func TestSnapshots(t *testing.T) {
	s := model.Snapshots{Repository: tools, Rule: &catalog.SnapshotRule{Every: catalog.Weekly, Keep: 4}, Total: 52, Page: 2, Pages: 2, Snapshots: []model.Snapshot{
		{ID: "20260108T100000Z", Alias: "r1", Taken: day(8), Until: pointer(day(31)), Releases: []model.KeptRelease{
			{Release: release(trixie, ""), Revision: 7, Packages: 12, Known: true, Came: 3},
			{Release: release(el9, "x86_64"), Revision: 2, Packages: -1}}},
		{ID: "20260107T100000Z", Taken: day(7), Automatic: true}}}
	compare(t, renderer.Snapshots(s), "acme/tools/snapshots/index.json", `{
 "repository":"acme/tools",
 "as_of":"2026-01-08T10:00:00Z",
 "total":52,
 "rule":{
  "every":"weekly",
  "keep":4
 },
 "page":"snapshots/",
 "newest":"snapshots/index.json",
 "older":"snapshots/_1.json",
 "snapshots":[
  {
   "id":"20260108T100000Z",
   "name":"r1",
   "taken":"2026-01-08T10:00:00Z",
   "until":"2026-01-31T10:00:00Z",
   "automatic":false,
   "page":"snapshots/20260108T100000Z/",
   "configuration":[
    "https://packages.example.org/acme/tools/snapshots/20260108T100000Z/debian/trixie.sources",
    "https://packages.example.org/acme/tools/snapshots/20260108T100000Z/el/9.repo"
   ],
   "releases":[
    {"release":"acme/tools/debian/trixie","revision":7,"packages":12,"came":3,"went":0},
    {"release":"acme/tools/el/9/x86_64","revision":2,"packages":null,"came":null,"went":null}
   ]
  },
  {
   "id":"20260107T100000Z",
   "name":"",
   "taken":"2026-01-07T10:00:00Z",
   "until":null,
   "automatic":true,
   "page":"snapshots/20260107T100000Z/",
   "configuration":[],
   "releases":[]
  }
 ]
}
`)
	s.Page = 1
	if p := renderer.Snapshots(s); p.Key != "acme/tools/snapshots/_1.json" || !bytes.Contains(p.Body, []byte(`"older":null`)) || !bytes.Contains(p.Body, []byte(`"page":"snapshots/_1/"`)) {
		t.Errorf("the older page: %s\n%s", p.Key, p.Body)
	}
}

func TestStatus(t *testing.T) {
	compare(t, renderer.Status(front()), "acme/tools/status.json", `{
 "repository":"acme/tools",
 "as_of":"2026-01-09T10:00:00Z",
 "releases":[
  {"release":"acme/tools/debian/trixie","revision":7,"nonce":"0123456789abcdef","published":"2026-01-09T10:00:00Z","verified":"2026-01-10T10:00:00Z","pointer":"debian/dists/trixie/InRelease"},
  {"release":"acme/tools/el/9/x86_64","revision":2,"nonce":"fedcba9876543210","published":"2026-01-08T10:00:00Z","verified":null,"pointer":"el/9/x86_64/repodata/repomd.xml"},
  {"release":"acme/tools/ubuntu/jammy","revision":0,"nonce":"","published":null,"verified":null,"pointer":"ubuntu/dists/jammy/InRelease"}
 ]
}
`)
}

func TestName(t *testing.T) {
	compare(t, renderer.Name(helloName()), "acme/tools/p/hello.json", `{
 "repository":"acme/tools",
 "name":"hello",
 "summary":"Says hello",
 "homepage":"https://example.org/",
 "as_of":"2026-01-10T10:00:00Z",
 "page":"p/hello/",
 "feed":"p/hello/feed.atom",
 "newest":"p/hello.json",
 "older":"p/hello/_1.json",
 "versions":[
  {
   "version":"1:1.0+b-2",
   "published":"2026-01-08T10:00:00Z",
   "page":"p/hello/1.0%2Bb-2/",
   "packages":[
    {"distribution":"debian/trixie","component":"main","architecture":"amd64","format":"deb","size":1234,"sha256":"aa","md5":"bb","url":"https://packages.example.org/acme/tools/debian/pool/trixie/main/h/hello/hello_1.0%2Bb-2_amd64.deb","since":"2026-01-09T10:00:00Z","releases":["acme/tools/debian/trixie"],"signer":"0123456789ABCDEF","phase":10,"withdrawn":null}
   ]
  },
  {
   "version":"0.9-1",
   "published":"2026-01-06T10:00:00Z",
   "page":"p/hello/0.9-1/",
   "packages":[
    {"distribution":"el/9","component":"","architecture":"noarch","format":"rpm","size":5,"sha256":"cc","url":"https://packages.example.org/acme/tools/el/9/aarch64/Packages/h/hello-0.9-1.noarch.rpm","since":"2026-01-07T10:00:00Z","releases":["acme/tools/el/9/aarch64","acme/tools/el/9/x86_64"],"signer":"","withdrawn":null},
    {"distribution":"el/9","component":"","architecture":"x86_64","format":"rpm","size":5,"sha256":"cc","url":null,"since":null,"releases":["acme/tools/el/9/x86_64"],"signer":"","withdrawn":{"at":"2026-01-10T10:00:00Z","reason":"broken"}}
   ]
  }
 ]
}
`)
}

func TestNameOfOlderVersions(t *testing.T) {
	for _, c := range []struct {
		page, pages int
		key, want   string
	}{
		{1, 1, "acme/tools/p/a.json~.json", `"page":"p/a.json~/","feed":"p/a.json~/feed.atom","newest":"p/a.json~.json","older":null`},
		{1, 3, "acme/tools/p/a.json~/_1.json", `"page":"p/a.json~/_1/","feed":"p/a.json~/feed.atom","newest":"p/a.json~.json","older":null`},
		{2, 3, "acme/tools/p/a.json~/_2.json", `"page":"p/a.json~/_2/","feed":"p/a.json~/feed.atom","newest":"p/a.json~.json","older":"p/a.json~/_1.json"`},
	} {
		t.Run(fmt.Sprintf("page %d of %d", c.page, c.pages), func(t *testing.T) {
			p := renderer.Name(model.Name{Repository: tools, Package: "a.json", Page: c.page, Pages: c.pages})
			want := `{"repository":"acme/tools","name":"a.json","summary":"","homepage":"","as_of":null,` + c.want + `,"versions":[]}`
			var compact bytes.Buffer
			if err := json.Compact(&compact, p.Body); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.key, want}, []string{p.Key, compact.String()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		names     model.Names
		key, want string
	}{
		"an empty repository": {model.Names{Repository: tools, Level: -1}, "acme/tools/names/index.json", `{
 "repository":"acme/tools",
 "level":-1,
 "from":"",
 "total":0,
 "previous":null,
 "next":null,
 "lines":[]
}
`},
		"all names": {model.Names{Repository: tools, Level: -1, Total: 2, Lines: []model.Line{
			{Name: "hello", Summary: "Says hello", Version: "1:1.0", Formats: []catalog.Format{catalog.DEB, catalog.RPM}, At: day(9)}, {Name: "libstdc++6"},
		}}, "acme/tools/names/index.json", `{
 "repository":"acme/tools",
 "level":-1,
 "from":"",
 "total":2,
 "previous":null,
 "next":null,
 "lines":[
  {"name":"hello","version":"1:1.0","summary":"Says hello","formats":["deb","rpm"],"published":"2026-01-09T10:00:00Z","page":"p/hello/"},
  {"name":"libstdc++6","version":"","summary":"","formats":[],"published":null,"page":"p/libstdc%2B%2B6/"}
 ]
}
`},
		"a top of parts": {model.Names{Repository: tools, Level: -1, Total: 501, Parts: []model.Part{{Level: 0, To: "m++"}, {Level: 0, From: "m++"}}}, "acme/tools/names/index.json", `{
 "repository":"acme/tools",
 "level":-1,
 "from":"",
 "total":501,
 "previous":null,
 "next":null,
 "parts":[
  {"level":0,"from":"","to":"m++","twin":"names/0.json","page":"names/0.html"},
  {"level":0,"from":"m++","to":"","twin":"names/0/m%2B%2B.json","page":"names/0/m%2B%2B.html"}
 ]
}
`},
		"a part of parts": {model.Names{Repository: tools, Level: 1, From: "m", Previous: &model.Part{Level: 1, To: "m"}, Next: &model.Part{Level: 1, From: "x"}, Parts: []model.Part{{Level: 0, From: "m", To: "n"}}}, "acme/tools/names/1/m.json", `{
 "repository":"acme/tools",
 "level":1,
 "from":"m",
 "previous":"names/1.json",
 "next":"names/1/x.json",
 "parts":[
  {"level":0,"from":"m","to":"n","twin":"names/0/m.json","page":"names/0/m.html"}
 ]
}
`},
		"a part of names": {model.Names{Repository: tools, Level: 0, From: "m", Lines: []model.Line{{Name: "m"}}}, "acme/tools/names/0/m.json", `{
 "repository":"acme/tools",
 "level":0,
 "from":"m",
 "previous":null,
 "next":null,
 "lines":[
  {"name":"m","version":"","summary":"","formats":[],"published":null,"page":"p/m/"}
 ]
}
`},
	} {
		t.Run(name, func(t *testing.T) { compare(t, renderer.Names(c.names), c.key, c.want) })
	}
}
