package pages_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func TestPagesOfSnapshots(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"}, pkg{el9, "tool", "1.0", "a tool"})
	w.publish()
	w.make(w.maker())
	list, twin := layout.SnapshotsPageKey(tools), layout.SnapshotsTwinKey(tools)
	hello := layout.VersionPageKey(tools, "hello", "1.0")
	w.wantNone(list, twin)
	w.want(layout.FrontPageKey(tools), "!snapshot")
	w.want(hello, "!snapshot")

	until := w.at().Add(90 * 24 * time.Hour)
	first, firstID := w.keep("r1", &until)
	w.push(pkg{jammy, "hello", "2.0", "says hello"}, pkg{jammy, "other", "1.0", "another"})
	w.withdraw(pkg{jammy, "hello", "1.0", ""})
	w.publish()
	_, secondID := w.keep("", nil)
	w.make(w.maker())
	w.want(list, "2 snapshots", firstID, secondID, "r1", "2 came, 1 went")
	w.want(twin, `"id":"`+firstID+`"`, `"name":"r1"`, `"came":2,"went":1`, `"came":null`, publicURL+"/acme/tools/snapshots/"+firstID+"/ubuntu/jammy.sources")
	w.want(layout.SnapshotPageKey(tools, firstID), "/etc/apt/sources.list.d/acme_tools.sources "+publicURL+"/acme/tools/snapshots/"+firstID+"/ubuntu/jammy.sources",
		"apt-get update --snapshot "+firstID, publicURL+"/acme/tools/snapshots/"+firstID+"/el/9.repo", "/acme/tools/snapshots/"+firstID+"/el/9/$basearch", "!TOKEN")
	w.want(layout.FrontPageKey(tools), "2 snapshots", secondID)
	w.want(layout.FrontTwinKey(tools), `"kept":2`, `"newest":"`+secondID+`"`)
	w.want(hello, "that were taken while it was published have it", `<span class="word">until `, "broken &lt;b&gt;", "!jo")
	w.want(layout.VersionPageKey(tools, "hello", "2.0"), "those since it was published")
	w.want(layout.NameTwinKey(tools, "hello"), `"from":"20`)

	w.end(first, firstID)
	w.make(w.maker())
	w.want(list, "1 snapshot<", "!"+firstID, "!2 came")
	got := w.pages()
	w.wantNone(layout.SnapshotPageKey(tools, firstID))
	if diff := cmp.Diff(w.whole(), got); diff != "" {
		t.Errorf("pages (-from nothing +step by step):\n%s", diff)
	}
	w.setVisibility(catalog.Private)
	w.make(w.maker())
	w.want(layout.SnapshotPageKey(tools, secondID), "token=TOKEN", "The repository is private")
}

// Snapshots beyond those of a page are on numbered ones, which go when there are fewer.
func TestOlderSnapshots(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	type kept struct {
		number int64
		id     string
	}
	var all []kept
	for i := range 11 { // 3 are on a page
		number, id := w.keep(fmt.Sprint("r", i), nil)
		all = append(all, kept{number, id})
	}
	w.make(w.maker())
	newest, older := layout.SnapshotsPageKey(tools), layout.OlderSnapshotsPageKey(tools, 1)
	w.want(newest, "11 snapshots", "page 3 of 3", all[10].id, all[6].id, "!"+all[5].id, `href="_2/"`)
	w.want(older, "page 1 of 3", all[0].id, all[2].id, "!"+all[3].id, `href="../_2/"`)
	w.want(layout.OlderSnapshotsPageKey(tools, 2), "page 2 of 3", all[3].id, all[5].id, "!"+all[6].id, `href="../"`, `href="../_1/"`)
	w.want(layout.OlderSnapshotsTwinKey(tools, 1), all[0].id, `"older":null`)
	for _, s := range all[:6] {
		w.end(s.number, s.id)
	}
	w.make(w.maker())
	w.want(newest, "5 snapshots", "!page 1 of", all[6].id)
	w.wantNone(older, layout.OlderSnapshotsTwinKey(tools, 1), layout.OlderSnapshotsPageKey(tools, 2), layout.OlderSnapshotsTwinKey(tools, 2))
	for _, s := range all[6:] {
		w.end(s.number, s.id)
	}
	w.make(w.maker())
	w.want(newest, "There are no snapshots.")
	w.want(layout.FrontPageKey(tools), "No snapshot", "is kept")
}

// A publish makes no page of a snapshot, however many there are.
func TestPublishMakesNoPagesOfSnapshots(t *testing.T) {
	counts := func(snapshots int) string {
		w := newWorld(t)
		w.push(pkg{jammy, "hello", "1.0", "says hello"})
		w.publish()
		for range snapshots {
			w.keep("", nil)
		}
		w.make(w.maker())
		w.push(pkg{jammy, "hello", "2.0", "says hello"})
		w.publish()
		done, _ := w.make(w.maker())
		return fmt.Sprintf("%d written, %d removed, %d the same", done.Written, done.Removed, done.Same)
	}
	if few, many := counts(1), counts(40); few != many {
		t.Errorf("with a snapshot: %s; with 40: %s", few, many)
	}
}

// Each write of a page of snapshots may fail, and a snapshot may come or go while they are made.
func TestPagesOfSnapshotsAfterFaults(t *testing.T) {
	begin := func(t *testing.T) (w *world, first int64, firstID string) {
		w = newWorld(t)
		w.push(pkg{jammy, "hello", "1.0", "says hello"})
		w.publish()
		first, firstID = w.keep("", nil)
		for range 8 {
			w.keep("", nil)
		}
		return w, first, firstID
	}
	w, _, _ := begin(t)
	w.bucket.Writes()
	w.make(w.maker())
	n := 0
	for _, key := range w.bucket.Writes() {
		if !strings.HasPrefix(key, layout.SnapshotDir(tools, "")) {
			continue
		}
		n++
		for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored} {
			t.Run(key+" "+fault.String(), func(t *testing.T) {
				t.Parallel()
				w, _, _ := begin(t)
				w.bucket.FailOnce(key, fault)
				if _, failures := w.make(w.maker()); failures == 0 {
					t.Error("nothing has failed")
				}
				got := w.pages()
				if diff := cmp.Diff(w.whole(), got); diff != "" {
					t.Errorf("pages (-from nothing +after the fault):\n%s", diff)
				}
			})
		}
	}
	if n < 13 {
		t.Errorf("%d pages of snapshots were written", n)
	}
	t.Run("one goes while the pages are made", func(t *testing.T) {
		w, first, firstID := begin(t)
		once := false
		w.bucket.Before("Swap", layout.OlderSnapshotsPageKey(tools, 1), func() {
			if !once {
				once = true
				w.end(first, firstID)
			}
		})
		w.make(w.maker())
		got := w.pages()
		if diff := cmp.Diff(w.whole(), got); diff != "" || !once {
			t.Errorf("pages (-from nothing +step by step):\n%s", diff)
		}
	})
}
