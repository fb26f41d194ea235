package queue

import (
	"path"
	"time"

	"repomill/schemas/catalog"
)

// blindPeriod is how often folders that cannot be watched are looked through.
const blindPeriod = 10 * time.Second

// blind has the folders that the kernel does not watch for us, as when there are more than
// fs.inotify.max_user_watches. While there are any, all of staging is looked through in turn, which also tries
// to watch them again. The zero value has none.
type blind struct {
	folders map[string]bool
	was     bool              // there were some when the look through all of staging began
	inTurn  bool              // it looks for what is in these folders only
	news    map[string]bool   // folders that it found, and that are watched since
	offered map[string]string // object -> the generation that was handed on, of files in blind folders
	last    map[string]string // the same, before the look began
	next    time.Time         // when the next look is due; zero if there are no such folders
}

func (b *blind) due(now time.Time) bool { return !b.next.IsZero() && !now.Before(b.next) }

// begin begins to look through all of staging.
func (b *blind) begin(inTurn bool) {
	b.was, b.inTurn, b.last = len(b.folders) > 0, inTurn, b.offered
	b.folders, b.news, b.offered, b.next = map[string]bool{}, map[string]bool{}, map[string]string{}, time.Time{}
}

// add notes a folder that is not watched, and reports whether it is the first.
func (b *blind) add(folder string) (first bool) {
	first = len(b.folders) == 0 && !b.was
	b.folders[folder] = true
	return first
}

// watched notes a folder that is watched from now on.
func (b *blind) watched(folder string) { b.news[folder] = true }

// end ends a look, and returns how many folders are not watched.
func (b *blind) end(now time.Time) int {
	if b.next.IsZero() && len(b.folders) > 0 {
		b.next = now.Add(blindPeriod)
	}
	b.was, b.inTurn, b.last = false, false, nil
	clear(b.news)
	return len(b.folders)
}

// fresh reports whether an upload is to be handed on: each generation once if its folder is not watched. A look
// in turn need not hand on what lies in folders that were watched all the time.
func (b *blind) fresh(u catalog.Upload) bool {
	folder := path.Dir(u.Object)
	if !b.folders[folder] {
		return !b.inTurn || b.news[folder]
	}
	known := b.offered[u.Object] == u.Generation || b.last[u.Object] == u.Generation
	b.offered[u.Object] = u.Generation
	return !known
}
