package queue

import (
	"path"
	"time"

	"repomill/schemas/catalog"
)

// pollPeriod is the time between two listings of folders that cannot be watched.
const pollPeriod = 10 * time.Second

// unwatched are the folders that the kernel does not watch, for example because there are more than
// fs.inotify.max_user_watches. While there are any, all of staging is listed every pollPeriod, which also tries to
// watch them again. The zero value has none.
type unwatched struct {
	folders   map[string]bool
	before    bool              // there were some when this listing of all of staging began
	periodic  bool              // the listing delivers files of these folders only
	added     map[string]bool   // folders that the listing found, and that are watched since
	delivered map[string]string // generation by object, of delivered files in these folders
	last      map[string]string // delivered, before the listing began
	next      time.Time         // time of the next listing; zero if there are no such folders
}

func (b *unwatched) due(now time.Time) bool { return !b.next.IsZero() && !now.Before(b.next) }

// begin begins a listing of all of staging.
func (b *unwatched) begin(periodic bool) {
	b.before, b.periodic, b.last = len(b.folders) > 0, periodic, b.delivered
	b.folders, b.added, b.delivered, b.next = map[string]bool{}, map[string]bool{}, map[string]string{}, time.Time{}
}

// add records a folder that is not watched, and reports whether it is the first.
func (b *unwatched) add(folder string) (first bool) {
	first = len(b.folders) == 0 && !b.before
	b.folders[folder] = true
	return first
}

// watched records a folder that is watched from now on.
func (b *unwatched) watched(folder string) { b.added[folder] = true }

// end ends a listing, and returns the number of folders that are not watched.
func (b *unwatched) end(now time.Time) int {
	if b.next.IsZero() && len(b.folders) > 0 {
		b.next = now.Add(pollPeriod)
	}
	b.before, b.periodic, b.last = false, false, nil
	clear(b.added)
	return len(b.folders)
}

// fresh reports whether a listing has to deliver an upload. Of a folder that is not watched it delivers each generation
// once. A periodic listing leaves out folders that were watched all the time.
func (b *unwatched) fresh(u catalog.Upload) bool {
	folder := path.Dir(u.Object)
	if !b.folders[folder] {
		return !b.periodic || b.added[folder]
	}
	known := b.delivered[u.Object] == u.Generation || b.last[u.Object] == u.Generation
	b.delivered[u.Object] = u.Generation
	return !known
}
