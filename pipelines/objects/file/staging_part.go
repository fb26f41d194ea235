package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// partSuffix ends the hidden names of files that are being put or removed.
const partSuffix = ".part"

// partName returns a hidden name for a file that is being written.
func partName(key string) string { return path.Dir(key) + "/." + rand.Text() + partSuffix }

// removedName returns a hidden name for a file that is being removed. It differs from that of a file that is being written,
// because it may be another file, which is put back ([Staging.remove]).
func removedName(key string) string { return path.Dir(key) + "/.removed-" + rand.Text() + partSuffix }

// ownPart matches the names of partName.
var ownPart = regexp.MustCompile(`^\.[A-Z2-7]{26}\.part$`)

// createPart creates a file under a hidden name, and locks it until it is closed: so [Staging.RemoveParts] of another process
// knows that it is being written.
func (s *Staging) createPart(key string) (f *os.File, name string, err error) {
	for range 10 {
		name = partName(key)
		if f, err = s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil {
			return nil, "", err
		}
		flock(f, syscall.LOCK_EX) //nolint:errcheck // where there are no locks, RemoveParts gets none either
		if _, err = s.root.Lstat(name); err == nil {
			return f, name, nil
		}
		f.Close() // it was removed before it was locked
	}
	return nil, "", err
}

// flock locks a file, also if signals interrupt that.
func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// RemoveParts removes the files that processes have left half written because they were killed, and returns how many there
// were and their size. Files that a process is writing remain, also those of a repomill that locks none.
func (s *Staging) RemoveParts(ctx context.Context, now time.Time) (files int, bytes int64, err error) {
	err = fs.WalkDir(s.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return err
		case err != nil: // a folder that cannot be read, or has gone
			return fs.SkipDir
		case e.IsDir() && strings.HasPrefix(e.Name(), ".") && name != "." && name != incomingDir,
			e.IsDir() && strings.Count(name, "/") >= maxDepth:
			return fs.SkipDir
		case !e.Type().IsRegular() || !ownPart.MatchString(e.Name()):
			return nil
		}
		size, left := s.leftPart(name, now)
		if left && s.root.Remove(name) == nil {
			files, bytes = files+1, bytes+size
		}
		return nil
	})
	if err != nil {
		return files, bytes, fmt.Errorf("remove half-written files of staging: %w", err)
	}
	return files, bytes, nil
}

// leftPart reports whether no process writes a file: none has it open for writing or, where that cannot be seen, it was not
// changed for a while; and none has locked it.
func (s *Staging) leftPart(name string, now time.Time) (size int64, left bool) {
	d, err := openDir(s.root, name)
	if err != nil {
		return 0, false
	}
	defer d.f.Close()
	info, err := s.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	open, known := d.written(path.Base(name))
	if open || !known && now.Sub(changed(info)) < quietTime {
		return 0, false
	}
	return info.Size(), abandoned(s.root, name)
}
