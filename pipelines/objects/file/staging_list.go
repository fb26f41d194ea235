package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// How long a file must be unchanged to count as whole.
const (
	// quietTime is for a file whose writers are unknown: on a network file system, or of another user. A writer over
	// a network may pause for seconds.
	quietTime = time.Minute
	// emptyTime is for an empty file. A new file is visible before the kernel counts its writer, and some programs
	// create a file and open it again to write.
	emptyTime = 5 * time.Second
)

// A FileState is the state of a staged file: Whole, or not yet. If it is not whole, it should be checked again at Due; if
// Due is zero, it is open for writing, and closing it will be an event.
type FileState struct {
	Upload catalog.Upload
	Whole  bool
	Due    time.Time
}

// Written reports whether the file is open for writing. It may be so for a moment after the event of its closing.
func (v FileState) Written() bool { return !v.Whole && v.Due.IsZero() }

// State returns the state of a staged file at now, or fs.ErrNotExist.
func (s *Staging) State(object string, now time.Time) (FileState, error) {
	if err := checkKey(object); err != nil {
		return FileState{}, err
	}
	d, err := openDir(s.root, object)
	if err != nil {
		return FileState{}, err
	}
	defer d.f.Close()
	info, err := s.lstat(object)
	if err != nil {
		return FileState{}, err
	}
	return stateOf(d, object, info, now), nil
}

// stateOf returns the state of a regular file in d. info was read before the writers are determined: a later write gives
// the file another generation.
func stateOf(d dir, object string, info fs.FileInfo, now time.Time) FileState {
	v, quiet := FileState{Upload: upload(object, info)}, time.Duration(0)
	open, known := d.written(path.Base(object))
	pushed, _ := layout.CutID(path.Base(object)) // push renames a file to such a name when it is whole
	switch {
	case open:
		return v
	case pushed != "":
	case !known:
		quiet = quietTime
	case info.Size() == 0:
		quiet = emptyTime
	}
	if since := changed(info); now.Sub(since) < quiet {
		v.Due = since.Add(quiet)
		return v
	}
	v.Whole = true
	return v
}

// List calls f for each staged file that is whole. Folders and files that cannot be read are left out and reported (see
// [Staging.OnSkip]); only an error of the root folder, or of ctx, is returned.
func (s *Staging) List(ctx context.Context, now time.Time, f func(catalog.Upload)) error {
	return s.ListFolder(ctx, ".", now, nil, func(v FileState) {
		if v.Whole {
			f(v.Upload)
		}
	})
}

// ListFolder calls f for each staged file in or below a folder ("." for all), in order (of a folder with very many, of each part), and enter, unless it
// is nil, for each folder before it is read. A folder or name that cannot be an upload's, or cannot be read, is
// left out; the others are listed. It removes hidden files of pushes that crashed more than a day ago.
func (s *Staging) ListFolder(ctx context.Context, folder string, now time.Time, enter func(folder string), f func(FileState)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := openDir(s.root, folder+"/x")
	if folder == "." && err != nil {
		return err
	}
	if err != nil {
		s.skipUnlessGone(folder, err)
		return nil
	}
	l := &walk{s: s, ctx: ctx, now: now, enter: enter, file: f}
	if folder == "." {
		defer s.skipped.begin()(ctx)
	}
	return l.folder(d, folder)
}

// maxDepth is the depth to which folders are listed: more than twice that of an upload.
const maxDepth = 16

// maxEntries is how many entries of a folder are in memory, and in order, at a time.
const maxEntries = 32 << 10

// A walk is one listing of staging.
type walk struct {
	s     *Staging
	ctx   context.Context
	now   time.Time
	enter func(string)
	file  func(FileState)
}

// folder lists the open folder d, and closes it. The error is that of the context.
func (l *walk) folder(d dir, name string) error {
	defer d.f.Close()
	if l.enter != nil {
		l.enter(name)
	}
	for {
		entries, err := d.f.ReadDir(maxEntries)
		if err != nil && !errors.Is(err, io.EOF) {
			l.s.skipUnlessGone(name, err)
		}
		sortNames(entries)
		for _, e := range entries {
			if err := l.ctx.Err(); err != nil {
				return err
			}
			if err := l.entry(d, path.Join(name, e.Name()), e); err != nil {
				return err
			}
		}
		if err != nil || len(entries) < maxEntries {
			return nil
		}
	}
}

func (l *walk) entry(d dir, object string, e fs.DirEntry) error {
	hidden := strings.HasPrefix(e.Name(), ".")
	switch why := unfit(object); {
	case hidden:
		l.hidden(object, e)
	case !e.IsDir() && !e.Type().IsRegular():
		l.s.skipped.add(object, errSpecial)
	case why != nil:
		l.s.skipped.add(object, why)
	case e.IsDir():
		sub, err := d.openDir(e.Name())
		if err != nil {
			l.s.skipUnlessGone(object, err)
			return nil
		}
		return l.folder(sub, object)
	default:
		info, err := e.Info()
		if err != nil {
			l.s.skipUnlessGone(object, err)
			return nil
		}
		if info.Mode().IsRegular() { // it may be another by now
			l.file(stateOf(d, object, info, l.now))
		}
	}
	return nil
}

// hidden records a hidden file or folder as left out: it may be hidden by mistake. Programs that copy or edit hide a file
// while they write it, so only one that was unchanged for a while counts.
func (l *walk) hidden(object string, e fs.DirEntry) {
	if ours(object) {
		return
	}
	info, err := e.Info()
	switch {
	case err != nil:
		l.s.skipUnlessGone(object, err)
	case !e.IsDir() && strings.HasSuffix(object, partSuffix):
		l.s.removeLeft(object, e, l.now)
	case l.now.Sub(changed(info)) > quietTime:
		l.s.skipped.add(object, errHidden)
	}
}

// ours reports whether repomill makes a hidden place.
func ours(object string) bool {
	return object == lockFile || object == verdictDir || object == incomingDir
}

// skipUnlessGone records a place that could not be read, unless it was removed or replaced since its folder was read.
func (s *Staging) skipUnlessGone(place string, err error) {
	if !gone(err) && !errors.Is(err, unix.ESTALE) {
		s.skipped.add(place, err)
	}
}

// leftTime is the age from which on a file that a crash has left is removed.
const leftTime = 24 * time.Hour

// removeLeft removes a file that an interrupted push or deletion has left, if it is older than leftTime.
func (s *Staging) removeLeft(name string, d fs.DirEntry, now time.Time) {
	info, err := d.Info()
	if err == nil && now.Sub(changed(info)) > leftTime {
		s.root.Remove(name) //nolint:errcheck // the next scan tries again
	}
}
