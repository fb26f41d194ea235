package pages_test

import (
	"fmt"
	"strings"
	"testing"

	"repomill/publish/pages/twin"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const nothing = "There is no package to install yet."

func TestADistributionHasAnExampleOfWhatCanBeInstalled(t *testing.T) {
	w := newWorld(t)
	old := pkg{jammy, "hello", "1.0", "says hello"}
	w.push(old, pkg{jammy, "hello", "2.0", "says hello"}, pkg{noble, "other", "1.0", "another"}, pkg{el9, "tool", "1.0", "a tool"})
	w.publish()
	w.withdraw(old)
	w.publish()
	m := w.maker()
	w.make(m)
	w.want(layout.FrontPageKey(tools), "sudo apt-get install hello", "sudo apt-get install other", "!"+nothing)

	var many []pkg
	for i := range 310 { // more than the changes of a whole repository that are read
		many = append(many, pkg{jammy, fmt.Sprintf("many%03d", i), "1.0", "one of many"})
	}
	w.push(many...)
	w.publish()
	w.make(m)
	w.want(layout.FrontPageKey(tools), "sudo apt-get install many", "sudo apt-get install other", "sudo dnf install tool", "!"+nothing)
}

// One push goes to several distributions, one after the other: each version is one change, however many there are.
func TestChangesHaveAllTheirDistributions(t *testing.T) {
	w := newWorld(t)
	for _, r := range []pkg{{release: jammy}, {release: noble}} {
		for i := range twin.MaxEntries + 2 {
			w.push(pkg{r.release, fmt.Sprintf("tool%02d", i), "1.0", "a tool"})
		}
		w.publish()
	}
	w.make(w.maker())
	front, feed := string(w.bucket.Bytes(layout.FrontPageKey(tools))), string(w.bucket.Bytes(layout.FeedKey(tools)))
	if got := strings.Count(front, " · ubuntu jammy, noble</p>"); got != 20 {
		t.Errorf("the front page has %d changes in both distributions, want 20:\n%s", got, front)
	}
	if got := strings.Count(feed, "<summary>New for ubuntu/jammy, ubuntu/noble.</summary>"); got != twin.MaxEntries {
		t.Errorf("the feed has %d changes in both distributions, want %d:\n%s", got, twin.MaxEntries, feed)
	}
}

// The list of names cannot be written. The front page, the feed and the revisions follow all the same.
func TestOnePageOfARepositoryKeepsNoOtherBack(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	b := &failingBucket{Bucket: w.bucket}
	m := w.makerOn(b)
	w.make(m)
	w.push(pkg{jammy, "other", "1.0", "another one"})
	w.publish()
	status := string(w.bucket.Bytes(layout.StatusKey(tools)))
	b.write = layout.NamesPageKey(tools, -1, "")
	work := catalogdb.PageWork{Repository: tools, Requests: []catalogdb.PageRequest{{ID: 1, Name: "other"}}}
	if _, _, err := m.Make(t.Context(), work); err == nil || b.write != "" {
		t.Errorf("the list was written, or not tried: %v", err)
	}
	w.want(layout.FrontPageKey(tools), "other")
	w.want(layout.FeedKey(tools), "other")
	if string(w.bucket.Bytes(layout.StatusKey(tools))) == status {
		t.Error("the revisions have not followed")
	}
	if _, failures := w.make(m); failures > 0 {
		t.Errorf("%d failures", failures)
	}
	w.want(layout.NamesPageKey(tools, -1, ""), "other")
}
