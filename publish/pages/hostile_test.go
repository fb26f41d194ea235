package pages_test

import (
	"testing"

	"repomill/schemas/layout"
)

// What a package says can look like a link of its page. It removes no list of files of another version.
func TestTextsOfPackagesRemoveNoListsOfFiles(t *testing.T) {
	w := newWorld(t)
	first := pkg{el9, "tool", "1.0", "a tool"}
	w.push(first)
	w.publish()
	m := w.maker()
	w.make(m)
	files := layout.FilesPageKey(tools, "tool", w.row(first).File.SHA256)
	w.want(files, "/usr/bin/tool")

	second := pkg{el9, "tool", "2.0", `see <a href="../_files/` + w.row(first).File.SHA256 + `.html">`}
	w.push(second)
	w.publish()
	w.make(m)
	own := layout.FilesPageKey(tools, "tool", w.row(second).File.SHA256)
	w.want(own, "/usr/bin/tool")
	w.withdraw(second)
	w.publish()
	w.make(m)
	w.removeWithdrawn()
	w.make(m)
	w.wantNone(own, layout.VersionPageKey(tools, "tool", "2.0-1"))
	w.want(files, "/usr/bin/tool")
}
