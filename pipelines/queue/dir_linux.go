package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// A Dir watches a staging folder: a file is news when a writer closes it or it is moved in
// (inotify(7)). A half-copied file is none.
type Dir struct {
	staging *file.Staging
}

// NewDir returns the source of a staging folder.
func NewDir(s *file.Staging) *Dir { return &Dir{s} }

// watchEvents are the events of a watched folder. New folders are watched in their turn.
const watchEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_CREATE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW

// A watch is the state of one Receive.
type watch struct {
	dir     *Dir
	root    string          // the staging folder, with no link in its path
	fd      int             // the inotify instance
	events  *os.File        // the same; its Fd method would make it block
	folders map[int]string  // watch descriptor -> folder below the root, "." for the root
	unseen  map[string]bool // folders in or below which something may have been missed
}

// Receive implements [Source]. It begins with the files that are there already.
func (d *Dir) Receive(ctx context.Context, f func(Event)) error {
	root, err := filepath.EvalSymlinks(d.staging.Path())
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
	}
	w := &watch{dir: d, root: root, fd: fd, events: os.NewFile(uintptr(fd), "inotify"), folders: map[int]string{}, unseen: map[string]bool{".": true}}
	defer w.events.Close()
	stop := context.AfterFunc(ctx, func() { w.events.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // inotify can be polled
	defer stop()
	if err := w.add("."); err != nil {
		return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
	}
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		if err := w.look(ctx, f); err != nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
		n, err := w.events.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
		if err := w.handle(ctx, buf[:n], f); err != nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
	}
	return nil
}

// look lists the folders in which something may have been missed. Those with files that only time can
// tell of are listed again a second later. A folder that cannot be read is the sweep's to report.
func (w *watch) look(ctx context.Context, f func(Event)) error {
	var deadline time.Time
	for folder := range w.unseen {
		pending, err := w.dir.staging.ListFolder(ctx, folder, time.Now(), func(u catalog.Upload) { f(Event{Upload: u}) })
		if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		if pending {
			deadline = time.Now().Add(time.Second)
		} else {
			delete(w.unseen, folder)
		}
	}
	w.events.SetReadDeadline(deadline) //nolint:errcheck // inotify can be polled
	if ctx.Err() != nil {
		w.events.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	}
	return nil
}

// add watches a folder and those below it.
func (w *watch) add(folder string) error {
	return filepath.WalkDir(filepath.Join(w.root, folder), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		if !e.IsDir() {
			return nil
		}
		if path != w.root && strings.HasPrefix(e.Name(), ".") {
			return fs.SkipDir
		}
		wd, err := unix.InotifyAddWatch(w.fd, path, watchEvents)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
			return nil
		}
		if errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("too many folders to watch; raise fs.inotify.max_user_watches: %w", err)
		}
		if err != nil {
			return err
		}
		w.folders[wd], err = filepath.Rel(w.root, path)
		return err
	})
}

// handle reads a buffer of events (inotify(7), struct inotify_event).
func (w *watch) handle(ctx context.Context, buf []byte, f func(Event)) error {
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		mask := binary.NativeEndian.Uint32(buf[4:])
		length := int(binary.NativeEndian.Uint32(buf[12:]))
		name := string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length], "\x00"))
		buf = buf[unix.SizeofInotifyEvent+length:]
		folder, watched := w.folders[wd]
		switch object := filepath.ToSlash(filepath.Join(folder, name)); {
		case mask&unix.IN_Q_OVERFLOW != 0:
			w.unseen["."] = true
			if err := w.add("."); err != nil { // the news of a folder may be lost, too
				return err
			}
		case mask&unix.IN_IGNORED != 0:
			delete(w.folders, wd)
		case !watched || strings.HasPrefix(name, "."):
		case mask&unix.IN_ISDIR != 0:
			// Files may have been put into it before it was watched.
			w.unseen[object] = true
			if err := w.add(object); err != nil {
				return err
			}
		case mask&(unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) != 0:
			if u, err := w.dir.staging.Stat(ctx, object); err == nil {
				f(Event{Upload: u})
			}
		}
	}
	return nil
}
