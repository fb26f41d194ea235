package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"repomill/pipelines/objects/file"
)

// watchEvents are the inotify events of a watched folder. IN_CREATE reports new folders, which are then watched.
const watchEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_CREATE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW

// A watch is the state of one Receive.
type watch struct {
	dir       *Dir
	root      string              // the staging folder, with no link in its path
	fd        int                 // the inotify instance
	events    *os.File            // the same; its Fd method would make it block
	folders   map[int]string      // watch descriptor -> folder below the root, "." for the root
	unseen    map[string]bool     // folders in or below which something may have been missed
	due       map[string]reminder // files of which there may be no more events
	unwatched unwatched
	looked    time.Time // at due
	buf       []byte    // of events
	count     int       // of what was listed
	nested    bool      // a listing waits until folders are listed that are new since it began
}

// Receive implements [Source]. It first delivers the files that are already in the folder.
func (d *Dir) Receive(ctx context.Context, f func(Event)) error {
	root, err := filepath.EvalSymlinks(d.staging.Path())
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		d.Log.Error("cannot watch staging folder, polling it: raise fs.inotify.max_user_instances", "every", pollPeriod.String(), "error", err)
		return d.poll(ctx, pollPeriod, f)
	}
	w := &watch{dir: d, root: root, fd: fd, events: os.NewFile(uintptr(fd), "inotify"),
		folders: map[int]string{}, unseen: map[string]bool{".": true}, due: map[string]reminder{}, buf: make([]byte, 64<<10)}
	defer w.events.Close()
	stop := context.AfterFunc(ctx, func() { w.events.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // inotify can be polled
	defer stop()
	for ctx.Err() == nil {
		w.scan(ctx, f)
		n, err := w.events.Read(w.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
		w.handle(w.buf[:n], f)
	}
	return nil
}

// A folder may have a million files. lookAfter is how many files and folders are listed between two looks at the events, which deliver files in other
// folders; mostEvents is how many bytes of them are read at one look: who writes files without a pause must not hold up a listing, or its end.
const (
	lookAfter  = 256
	mostEvents = 16 << 10
)

// listed counts a file or a folder of a listing, and now and then handles events, reminders, and the folders that are new since: they do not wait for the
// rest of the listing.
func (w *watch) listed(ctx context.Context, f func(Event)) {
	if w.count++; w.count%lookAfter != 0 {
		return
	}
	periodic := w.unwatched.periodic
	w.unwatched.periodic = false // such a listing delivers no files of watched folders; events do
	defer func() { w.unwatched.periodic = periodic }()
	if n, err := unix.Read(w.fd, w.buf[:mostEvents]); err == nil && n > 0 { // it does not block; what is wrong, the next read says
		w.handle(w.buf[:n], f)
	}
	if time.Since(w.looked) > firstPause {
		w.lookAtDue(f)
	}
	if w.nested || len(w.unseen) == 0 {
		return
	}
	w.nested = true
	defer func() { w.nested = false }()
	unseen, most := w.unseen, lookAfter
	w.unseen = map[string]bool{}
	for folder := range unseen {
		if folder == "." || most == 0 {
			w.unseen[folder] = true // later: who makes folders without a pause holds up no listing, either
			continue
		}
		most--
		w.list(ctx, folder, f)
	}
}

// lookAtDue checks the files whose reminder is due.
func (w *watch) lookAtDue(f func(Event)) {
	w.looked = time.Now()
	for object, r := range w.due {
		if !w.looked.Before(r.at) {
			w.lookAt(object, r.pause, f)
		}
	}
}

// scan lists the folders in which events may have been missed. It watches each folder before it lists it, so that
// every later change is an event. Then it checks the files whose reminder is due.
func (w *watch) scan(ctx context.Context, f func(Event)) {
	if w.unseen["."] {
		w.unwatched.begin(false)
	}
	unseen := w.unseen
	w.unseen = map[string]bool{} // while they are listed, others are found, or these once more
	for folder := range unseen {
		w.list(ctx, folder, f)
	}
	if w.unwatched.due(time.Now()) {
		w.unwatched.begin(true)
		w.list(ctx, ".", f)
	}
	w.dir.unwatched.Store(int64(w.unwatched.end(time.Now())))
	w.lookAtDue(f)
	w.events.SetReadDeadline(w.next()) //nolint:errcheck // inotify can be polled
	if ctx.Err() != nil {
		w.events.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	}
}

func (w *watch) list(ctx context.Context, folder string, f func(Event)) {
	enter := func(folder string) {
		w.add(folder)
		w.listed(ctx, f)
	}
	err := w.dir.staging.ListFolder(ctx, folder, time.Now(), enter, func(v file.FileState) {
		w.see(v, f)
		w.listed(ctx, f)
	})
	if err != nil && ctx.Err() == nil {
		w.dir.Log.Warn("cannot list staging folder, trying again", "folder", w.dir.staging.Path(), "error", err)
		w.unwatched.add(folder)
	}
}

// next returns the time of the next listing, poll or reminder; zero if there is none.
func (w *watch) next() time.Time {
	if len(w.unseen) > 0 {
		return time.Unix(1, 0)
	}
	next := w.unwatched.next
	for _, r := range w.due {
		if next.IsZero() || r.at.Before(next) {
			next = r.at
		}
	}
	return next
}

// A reminder is the time at which a file is checked again.
type reminder struct {
	at    time.Time
	pause time.Duration // the wait until at, after the event of closing the file; 0 without such an event
}

const (
	// maxDue is the number of reminders. The periodic scan of staging finds other files.
	maxDue = 10_000
	// The event of closing a file comes before the kernel has released the writer, and may come before it has written
	// all bytes. The file is checked again after firstPause, and then after pauses that double up to maxPause.
	firstPause = 10 * time.Millisecond
	maxPause   = 20 * time.Second
)

// see delivers a file that is whole. For one that may become whole without an event it sets a reminder, or keeps that of its closing.
func (w *watch) see(v file.FileState, f func(Event)) {
	object := v.Upload.Object
	if v.Written() && w.due[object].pause > 0 {
		return // its closing was an event already: there may be no other
	}
	_, waits := w.due[object]
	delete(w.due, object)
	if !v.Whole {
		if !v.Due.IsZero() {
			w.remind(object, reminder{at: v.Due})
		}
		return
	}
	if w.unwatched.fresh(v.Upload) || waits { // no event comes of it
		f(Event{Upload: v.Upload})
	}
}

func (w *watch) remind(object string, r reminder) {
	if len(w.due) < maxDue {
		w.due[object] = r
	}
}

// lookAt checks a file again, pause after the event of its closing.
func (w *watch) lookAt(object string, pause time.Duration, f func(Event)) {
	delete(w.due, object)
	v, err := w.dir.staging.State(object, time.Now())
	if err != nil {
		return
	}
	w.see(v, f)
	if pause > 0 && v.Written() {
		w.awaitClosed(object, 2*pause)
	}
}

// awaitClosed sets a reminder for a file whose closing was an event, and that still has a writer.
func (w *watch) awaitClosed(object string, pause time.Duration) {
	if pause < maxPause {
		w.remind(object, reminder{at: time.Now().Add(pause), pause: pause})
	}
}

// add watches a folder.
func (w *watch) add(folder string) {
	wd, err := unix.InotifyAddWatch(w.fd, filepath.Join(w.root, folder), watchEvents)
	switch {
	case err == nil:
		if w.folders[wd] != folder {
			w.unwatched.watched(folder)
		}
		w.folders[wd] = folder
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP): // gone
	default:
		if w.unwatched.add(folder) {
			w.dir.Log.Warn("cannot watch folders of staging, polling them: if they are too many, raise fs.inotify.max_user_watches",
				"first", folder, "every", pollPeriod.String(), "error", err)
		}
	}
}

// handle reads a buffer of events (inotify(7), struct inotify_event).
func (w *watch) handle(buf []byte, f func(Event)) {
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		mask := binary.NativeEndian.Uint32(buf[4:])
		length := int(binary.NativeEndian.Uint32(buf[12:]))
		name := string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length], "\x00"))
		buf = buf[unix.SizeofInotifyEvent+length:]
		folder, watched := w.folders[wd]
		switch object := filepath.ToSlash(filepath.Join(folder, name)); {
		case mask&unix.IN_Q_OVERFLOW != 0: // events of new folders may be lost, too
			w.unseen["."] = true
		case mask&unix.IN_IGNORED != 0:
			delete(w.folders, wd)
		case !watched || strings.HasPrefix(name, "."):
		case !w.dir.staging.Fits(object):
		case mask&unix.IN_ISDIR != 0:
			w.unseen[object] = true // files may have been put into it before it was watched
		case mask&(unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) != 0:
			w.closed(object, mask&unix.IN_MOVED_TO != 0, f)
		}
	}
}

// closed delivers a file that was closed or moved in, unless it still has a writer: another one, whose closing will be an
// event, or this one, which the kernel has not released yet. A file that is moved in counts as complete.
func (w *watch) closed(object string, moved bool, f func(Event)) {
	v, err := w.dir.staging.State(object, time.Now())
	if err != nil {
		return
	}
	if waits := !v.Due.IsZero(); waits && (moved || v.Upload.Size > 0) {
		v.Whole = true
	}
	w.see(v, f)
	if v.Written() {
		w.awaitClosed(object, firstPause)
	}
}
