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

// watchEvents are the events of a watched folder. New folders are watched in their turn.
const watchEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_CREATE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW

// A watch is the state of one Receive.
type watch struct {
	dir     *Dir
	root    string              // the staging folder, with no link in its path
	fd      int                 // the inotify instance
	events  *os.File            // the same; its Fd method would make it block
	folders map[int]string      // watch descriptor -> folder below the root, "." for the root
	unseen  map[string]bool     // folders in or below which something may have been missed
	due     map[string]reminder // files of which there may be no more events
	blind   blind
}

// Receive implements [Source]. It begins with the files that are there already.
func (d *Dir) Receive(ctx context.Context, f func(Event)) error {
	root, err := filepath.EvalSymlinks(d.staging.Path())
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		d.Log.Error("the staging folder cannot be watched and is looked through instead: raise fs.inotify.max_user_instances", "error", err)
		return d.poll(ctx, blindPeriod, f)
	}
	w := &watch{dir: d, root: root, fd: fd, events: os.NewFile(uintptr(fd), "inotify"),
		folders: map[int]string{}, unseen: map[string]bool{".": true}, due: map[string]reminder{}}
	defer w.events.Close()
	stop := context.AfterFunc(ctx, func() { w.events.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // inotify can be polled
	defer stop()
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		w.look(ctx, f)
		n, err := w.events.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
		w.handle(buf[:n], f)
	}
	return nil
}

// look lists the folders in which something may have been missed, each after it is watched, so that what
// changes in it from then on is an event. Then it looks once more at the files whose time has come.
func (w *watch) look(ctx context.Context, f func(Event)) {
	if w.unseen["."] {
		w.blind.begin(false)
	}
	for folder := range w.unseen {
		w.list(ctx, folder, f)
		delete(w.unseen, folder)
	}
	if w.blind.due(time.Now()) {
		w.blind.begin(true)
		w.list(ctx, ".", f)
	}
	w.dir.unwatched.Store(int64(w.blind.end(time.Now())))
	for object, r := range w.due {
		if !time.Now().Before(r.at) {
			w.lookAt(object, r.pause, f)
		}
	}
	w.events.SetReadDeadline(w.next()) //nolint:errcheck // inotify can be polled
	if ctx.Err() != nil {
		w.events.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	}
}

func (w *watch) list(ctx context.Context, folder string, f func(Event)) {
	err := w.dir.staging.ListFolder(ctx, folder, time.Now(), w.add, func(v file.Sight) { w.see(v, f) })
	if err != nil && ctx.Err() == nil {
		w.dir.Log.Error("the staging folder cannot be listed; this is tried again", "folder", w.dir.staging.Path(), "error", err)
		w.blind.add(folder)
	}
}

// next returns when there is something to do without an event; zero for never.
func (w *watch) next() time.Time {
	next := w.blind.next
	for _, r := range w.due {
		if next.IsZero() || r.at.Before(next) {
			next = r.at
		}
	}
	return next
}

// A reminder is the time when a file is looked at again.
type reminder struct {
	at    time.Time
	pause time.Duration // until then, if the closing of the file was an event; else 0
}

const (
	// maxDue is how many files are looked at again in time. The sweep finds the others.
	maxDue = 10_000
	// A writer's closing is an event before it is over: the kernel may still write the file, and counts the writer
	// as one until then. After firstPause the file is looked at again, then after ever longer ones.
	firstPause = 10 * time.Millisecond
	maxPause   = 20 * time.Second
)

// see hands on a file that is whole, and remembers one that may be later.
func (w *watch) see(v file.Sight, f func(Event)) {
	object := v.Upload.Object
	delete(w.due, object)
	if !v.Whole {
		if !v.Due.IsZero() {
			w.remind(object, reminder{at: v.Due})
		}
		return
	}
	if w.blind.fresh(v.Upload) {
		f(Event{Upload: v.Upload})
	}
}

func (w *watch) remind(object string, r reminder) {
	if len(w.due) < maxDue {
		w.due[object] = r
	}
}

// lookAt looks at a file again, pause after its closing was an event.
func (w *watch) lookAt(object string, pause time.Duration, f func(Event)) {
	v, err := w.dir.staging.Look(object, time.Now())
	if err != nil {
		delete(w.due, object)
		return
	}
	w.see(v, f)
	if pause > 0 && v.Written() {
		w.awaitClosed(object, 2*pause)
	}
}

// awaitClosed looks at a file again whose closing was an event, and is not over.
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
			w.blind.watched(folder)
		}
		w.folders[wd] = folder
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP): // gone
	default:
		if w.blind.add(folder) {
			w.dir.Log.Warn("folders of staging cannot be watched and are looked through instead; if they are too many, raise fs.inotify.max_user_watches",
				"first", folder, "every", blindPeriod.String(), "error", err)
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
		case mask&unix.IN_Q_OVERFLOW != 0: // also the events of new folders may be lost
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

// closed hands on a file that was closed or moved in, unless it is still being written: by another writer, whose
// closing is an event too, or by this one, whose closing is not over. Who moves a file in has written it.
func (w *watch) closed(object string, moved bool, f func(Event)) {
	v, err := w.dir.staging.Look(object, time.Now())
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
