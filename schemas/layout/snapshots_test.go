package layout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const aSnapshot = "20261129T021500Z"

func TestSnapshotIDIsATime(t *testing.T) {
	at := time.Date(2026, 11, 29, 2, 15, 0, 999, time.UTC)
	if got := layout.SnapshotID(at.In(time.FixedZone("", 3600))); got != aSnapshot {
		t.Errorf("got %s", got)
	}
	if got, ok := layout.ParseSnapshotID(aSnapshot); !ok || !got.Equal(at.Truncate(time.Second)) {
		t.Errorf("got %s, %v", got, ok)
	}
	for _, s := range []string{"", "20261129T021500", "20261129t021500z", "20261329T021500Z", "20261129T021560Z", "20261129T021500Z ", "2026-11-29", "before"} {
		if _, ok := layout.ParseSnapshotID(s); ok {
			t.Errorf("%q is an identifier", s)
		}
	}
}

func TestCheckSnapshotName(t *testing.T) {
	for name, want := range map[string]string{
		"19.5.0": "", "Before_upgrade+1": "", strings.Repeat("x", 64): "", "20261129": "",
		"":                      "1 to 64",
		strings.Repeat("x", 65): "1 to 64",
		"a/b":                   "1 to 64",
		".hidden":               "1 to 64",
		"a b":                   "1 to 64",
		"a\nb":                  "1 to 64",
		"ü":                     "1 to 64",
		"pool":                  "folder of every DEB repository",
		"dists":                 "folder of every DEB repository",
		aSnapshot:               "looks like the identifier",
		"20269999T999999Z":      "looks like the identifier",
		"20261129t021500z":      "looks like the identifier",
	} {
		switch err := layout.CheckSnapshotName(name); {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}

func TestFindSnapshot(t *testing.T) {
	list := catalog.SnapshotList{Repository: tools, Snapshots: []catalog.SnapshotName{
		{ID: "20261101T000000Z", Name: "19.5"}, {ID: "20261102T000000Z"}, {ID: "20261103T000000Z"},
	}}
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for asked, want := range map[string]string{
		"20261102T000000Z": "20261102T000000Z", "19.5": "20261101T000000Z",
		"20261102T000001Z": "20261102T000000Z", "20261102T235959Z": "20261102T000000Z",
		"20261119T000000Z": "20261103T000000Z", "20261120T000000Z": "20261103T000000Z",
		"20261120T000001Z": "", "20261031T235959Z": "", "19.6": "", "": "",
	} {
		got, err := layout.FindSnapshot(list, asked, now)
		if got != want || (want == "") != errors.Is(err, layout.ErrNoSnapshot) {
			t.Errorf("%s: got %q, %v; want %q", asked, got, err, want)
		}
	}
}

// Only its own objects need the list of snapshots. All others are those of the repository.
func TestParseBelowASnapshot(t *testing.T) {
	dir := "acme/tools/snapshots/"
	for path, want := range map[string]layout.Ref{
		dir + aSnapshot + "/ubuntu/dists/jammy/InRelease":             {Repository: tools, Key: dir + aSnapshot + "/ubuntu/dists/jammy/InRelease", Snapshot: aSnapshot},
		dir + "19.5/el/9/x86_64/repodata/repomd.xml":                  {Repository: tools, Key: dir + "19.5/el/9/x86_64/repodata/repomd.xml", Snapshot: "19.5"},
		dir + "19.5/ubuntu/jammy.sources":                             {Repository: tools, Key: dir + "19.5/ubuntu/jammy.sources", Snapshot: "19.5"},
		dir + "19.5/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb":   {Repository: tools, Key: "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb"},
		dir + "19.5/el/9/x86_64/repodata/" + sum + "-primary.xml.gz":  {Repository: tools, Key: "acme/tools/el/9/x86_64/repodata/" + sum + "-primary.xml.gz"},
		dir + "19.5/ubuntu/dists/jammy/main/binary-amd64/Packages.gz": {},
		dir + "19.5/ubuntu/dists/jammy/main/Contents-amd64.gz":        {},
		dir + "19.5/ubuntu/dists/jammy/main/binary-amd64/Release":     {},
		dir + ".hidden/ubuntu/dists/jammy/InRelease":                  {},
		dir + "20269999T999999Z/ubuntu/dists/jammy/InRelease":         {},
		dir + "19.5/snapshots/dists/jammy/InRelease":                  {},
		dir + "19.5/gpgkey":                                      {},
		dir + "19.5/p/hello/":                                    {},
		dir + "19.5/ubuntu/jammy/dists/jammy/InRelease":          {},
		dir + "19.5/snapshots/19.5/ubuntu/dists/jammy/InRelease": {},
		dir + "pool/ubuntu/dists/jammy/InRelease":                {},
		dir + aSnapshot + "/ubuntu":                              {},
		dir + aSnapshot + "/":                                    {Repository: tools, Key: layout.SnapshotPageKey(tools, aSnapshot), Snapshot: aSnapshot},
		dir + aSnapshot + "/index.html":                          {Repository: tools, Key: layout.SnapshotPageKey(tools, aSnapshot), Snapshot: aSnapshot},
		dir + "19.5/":                                            {Repository: tools, Key: layout.SnapshotPageKey(tools, "19.5"), Snapshot: "19.5"},
		dir + "pool/":                                            {},
		dir + ".19/":                                             {},
		dir + "20269999T999999Z/":                                {},
		dir + "19.5/index.json":                                  {},
		dir + aSnapshot + "/ubuntu/":                             {},
		dir:                                                      {Repository: tools, Key: layout.SnapshotsPageKey(tools)},
	} {
		if got, ok := layout.Parse(path); got != want || ok != (want.Key != "") {
			t.Errorf("%s: got %+v, %v; want %+v", path, got, ok, want)
		}
	}
	if ref, ok := layout.Parse(dir + "19.5/el/9/x86_64/a-1-1.x86_64.rpm"); !ok || ref.Spelling(dir+"19.5/el/9/x86_64/a-1-1.x86_64.rpm") != layout.Plain {
		t.Errorf("a path below a snapshot counts as one of an earlier server: %+v, %v", ref, ok)
	}
}

func TestSnapshotKeysHaveInverses(t *testing.T) {
	if id, ok := layout.SnapshotOf(tools, layout.SnapshotKey(tools, aSnapshot)); !ok || id != aSnapshot {
		t.Errorf("got %q, %v", id, ok)
	}
	for _, key := range []string{layout.SnapshotKey(tools, "19.5"), layout.SnapshotListKey(tools), ".snapshots/acme/tools/" + aSnapshot, ".snapshots/acme/tools/x/" + aSnapshot + ".json"} {
		if id, ok := layout.SnapshotOf(tools, key); ok {
			t.Errorf("%s is the record of %s", key, id)
		}
	}
	for _, r := range []catalog.Release{{Repository: tools, Distribution: distribution("ubuntu/jammy")}, {Repository: tools, Distribution: distribution("el/9"), Arch: "x86_64"}} {
		for _, key := range layout.SnapshotPair(r, aSnapshot) {
			id, ok := layout.SnapshotObject(tools, key)
			if ref, parsed := layout.Parse(key); !ok || id != aSnapshot || !parsed || ref.Key != key || ref.Snapshot != aSnapshot {
				t.Errorf("%s: got %q, %v, %+v", key, id, ok, ref)
			}
		}
	}
	if id, ok := layout.SnapshotObject(tools, layout.SnapshotPageKey(tools, aSnapshot)); !ok || id != aSnapshot {
		t.Errorf("the page of a snapshot: got %q, %v", id, ok)
	}
	for _, key := range []string{layout.SnapshotsPageKey(tools), layout.OlderSnapshotsPageKey(tools, 1), "acme/tools/snapshots/19.5/el/9.repo", "acme/tools/el/9.repo", "acme/tools/snapshots/" + aSnapshot + "/ubuntu/pool/a.deb", "acme/tools/snapshots/" + aSnapshot} {
		if id, ok := layout.SnapshotObject(tools, key); ok {
			t.Errorf("%s is an object of %s", key, id)
		}
	}
}
