package file

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// How long a file must have been left alone to count as whole.
const (
	// quietTime is for a file of which it is not known whether somebody writes it: on a network file system,
	// or another user's. A writer over a network may well pause for seconds.
	quietTime = time.Minute
	// emptyTime is for an empty file. A new file can be seen before its writer counts as one, and some
	// programs make a file first and open it again to fill it.
	emptyTime = 5 * time.Second
)

// A Sight is what can be said of a staged file now. It is Whole, or it is worth another look when it is Due;
// if Due is zero, it is open for writing, and closing it is an event.
type Sight struct {
	Upload catalog.Upload
	Whole  bool
	Due    time.Time
}

// Written reports whether the file is open for writing. It may be for a moment after its closing was an event.
func (v Sight) Written() bool { return !v.Whole && v.Due.IsZero() }

// Look returns a staged file as it is now, or fs.ErrNotExist.
func (s *Staging) Look(object string, now time.Time) (Sight, error) {
	if err := checkKey(object); err != nil {
		return Sight{}, err
	}
	d, err := openDir(s.root, object)
	if err != nil {
		return Sight{}, err
	}
	defer d.f.Close()
	info, err := s.lstat(object)
	if err != nil {
		return Sight{}, err
	}
	return sight(d, object, info, now), nil
}

// sight judges a regular file in d. Its state is read before its writers are asked for: what changes it
// after that makes another generation of it.
func sight(d dir, object string, info fs.FileInfo, now time.Time) Sight {
	v, quiet := Sight{Upload: upload(object, info)}, time.Duration(0)
	open, known := d.written(path.Base(object))
	pushed, _ := layout.CutID(path.Base(object)) // gets its name when it is whole
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

// List calls f for each staged file that is whole. What cannot be read is left out (see [Staging.OnSkip]); the
// error is that of the whole folder.
func (s *Staging) List(ctx context.Context, now time.Time, f func(catalog.Upload)) error {
	return s.ListFolder(ctx, ".", now, nil, func(v Sight) {
		if v.Whole {
			f(v.Upload)
		}
	})
}

// ListFolder calls f for each staged file in or below a folder ("." for all), in order, and enter, unless it
// is nil, for each folder before it is read. A folder or name that cannot be an upload's, or cannot be read,
// is left out and keeps nothing else from being listed. Along the way, what pushes that crashed long ago
// left is removed.
func (s *Staging) ListFolder(ctx context.Context, folder string, now time.Time, enter func(folder string), f func(Sight)) error {
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

// maxDepth is how deep folders are looked into: twice as deep as an upload lies, and more.
const maxDepth = 16

// A walk is one way through staging.
type walk struct {
	s     *Staging
	ctx   context.Context
	now   time.Time
	enter func(string)
	file  func(Sight)
}

// folder lists a folder that is open as d, and closes it. The error is that of the context.
func (l *walk) folder(d dir, name string) error {
	defer d.f.Close()
	if l.enter != nil {
		l.enter(name)
	}
	entries, err := d.f.ReadDir(-1)
	if err != nil {
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
	return nil
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
			l.file(sight(d, object, info, l.now))
		}
	}
	return nil
}

// hidden notes what is hidden from ingest, perhaps without intent. Programs that copy or edit hide what they write until
// it is whole: only what was left alone counts.
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

// ours reports whether a hidden place is one that this program makes.
func ours(object string) bool { return object == lockFile || object == verdictDir }

// skipUnlessGone notes a place that could not be read. One that was removed or replaced since its folder was
// read needs no mention.
func (s *Staging) skipUnlessGone(place string, err error) {
	if !gone(err) && !errors.Is(err, unix.ESTALE) {
		s.skipped.add(place, err)
	}
}

// leftTime is how old a file must be that a crash left behind, to be removed.
const leftTime = 24 * time.Hour

// removeLeft removes what a push or a deletion that crashed long ago left behind.
func (s *Staging) removeLeft(name string, d fs.DirEntry, now time.Time) {
	info, err := d.Info()
	if err == nil && now.Sub(changed(info)) > leftTime {
		s.root.Remove(name) //nolint:errcheck // the next sweep tries again
	}
}
