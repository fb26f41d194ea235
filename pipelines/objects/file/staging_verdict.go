package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"

	"repomill/schemas/layout"
)

// maxVerdict bounds a verdict object in bytes.
const maxVerdict = 1 << 20

// verdictDir is the folder of the verdicts: the first segment of [layout.VerdictKey].
const verdictDir = ".results"

// verdictKey returns the key of the verdict of a staging key, or fs.ErrInvalid. It is [layout.VerdictKey], unless that is
// too long for a file name: then the verdict of a file NAME is .name-SHA256.json in the same folder, with the digest of
// NAME in hexadecimal. It begins with a dot, so that no staged file has that name.
func verdictKey(object string) (string, error) {
	if err := checkKey(object); err != nil {
		return "", err
	}
	key := layout.VerdictKey(object)
	if checkKey(key) != nil {
		dir, name := path.Split(object)
		sum := sha256.Sum256([]byte(name))
		key = layout.VerdictKey(dir + ".name-" + hex.EncodeToString(sum[:]))
	}
	return key, checkKey(key)
}

// Verdict returns the verdict object of a staging key and the digest of its bytes, or fs.ErrNotExist.
// For a name that cannot have one in a folder the error is fs.ErrInvalid.
func (s *Staging) Verdict(_ context.Context, object string) ([]byte, layout.Version, error) {
	key, err := verdictKey(object)
	if err != nil {
		return nil, "", err
	}
	f, err := s.openVerdict(key)
	if err != nil {
		return nil, "", misplaced(err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxVerdict))
	if err != nil {
		return nil, "", misplaced(err)
	}
	sum := sha256.Sum256(body)
	return body, layout.Version(hex.EncodeToString(sum[:])), nil
}

// openVerdict opens a verdict. A link is followed as far as it stays below the root.
func (s *Staging) openVerdict(key string) (*os.File, error) {
	d, err := s.folders.get(path.Dir(key))
	if err != nil {
		return nil, err
	}
	defer s.folders.put(d)
	f, err := d.open(path.Base(key))
	if errors.Is(err, syscall.ELOOP) {
		return s.root.Open(key)
	}
	return f, err
}

// PutVerdict replaces version old of the verdict object of a staging key, or creates it if old is
// empty. At any other version it stores nothing and returns [layout.ErrConflict]; for a name that
// cannot have one in a folder, fs.ErrInvalid.
func (s *Staging) PutVerdict(ctx context.Context, object string, old layout.Version, body []byte) error {
	if len(body) > maxVerdict {
		return fmt.Errorf("write verdict: %d bytes are too many: %w", len(body), fs.ErrInvalid)
	}
	key, err := verdictKey(object)
	if err != nil {
		return err
	}
	if old == "" {
		return s.create(key, body)
	}
	unlock, err := s.lock()
	if err != nil {
		return fmt.Errorf("write verdict: %w", err)
	}
	defer unlock()
	_, now, err := s.Verdict(ctx, object)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write verdict: %w", err)
	}
	if now != old {
		return fmt.Errorf("write verdict: %w", layout.ErrConflict)
	}
	return s.replace(key, body)
}

// DeleteVerdict removes version old of the verdict object of a staging key. If there is none, that is success; at any
// other version it removes nothing and returns [layout.ErrConflict].
func (s *Staging) DeleteVerdict(ctx context.Context, object string, old layout.Version) error {
	key, err := verdictKey(object)
	if err != nil {
		return err
	}
	unlock, err := s.lock()
	if err != nil {
		return fmt.Errorf("remove verdict: %w", err)
	}
	defer unlock()
	_, now, err := s.Verdict(ctx, object)
	if err == nil && now != old {
		err = layout.ErrConflict
	}
	if err == nil {
		err = s.root.Remove(key)
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("remove verdict: %w", err)
	}
	return nil
}

// create stores a verdict atomically if there is none under its key. It needs no lock: a process that replaces a verdict
// requires an existing one.
func (s *Staging) create(key string, body []byte) error {
	err := s.createIn(key, body)
	if errors.Is(err, fs.ErrExist) {
		if info, failed := s.root.Lstat(key); failed == nil && info.Mode().IsRegular() {
			err = layout.ErrConflict
		}
	}
	if err != nil {
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	return nil
}

func (s *Staging) createIn(key string, body []byte) error {
	d, parents, err := s.folders.make(path.Dir(key), false)
	if err == nil {
		defer s.folders.put(d)
	}
	if err = errors.Join(err, s.folders.sync(parents...)); err != nil {
		return err
	}
	temp, err := d.writePart(body)
	if err != nil {
		return err
	}
	if err = d.renameNew(d.dir, temp, path.Base(key)); err != nil {
		unix.Unlinkat(d.fd(), temp, 0) //nolint:errcheck // hidden from ingest
	}
	return err
}

// replace replaces a verdict atomically.
func (s *Staging) replace(key string, body []byte) error {
	d, err := s.folders.get(path.Dir(key))
	if err != nil {
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	defer s.folders.put(d)
	temp, err := d.writePart(body)
	if err != nil {
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	if err := unix.Renameat(d.fd(), temp, d.fd(), path.Base(key)); err != nil {
		unix.Unlinkat(d.fd(), temp, 0) //nolint:errcheck // hidden from ingest
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	return nil
}

// writePart writes a verdict under a hidden name in its folder. It is not made durable: after a crash of the machine, the
// catalog still has the state of the upload.
func (d dir) writePart(body []byte) (temp string, err error) {
	temp = path.Base(partName("part"))
	f, err := d.create(temp)
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		unix.Unlinkat(d.fd(), temp, 0) //nolint:errcheck // hidden from ingest
	}
	return temp, err
}

// lock excludes other replacements of verdicts in this folder, in this process and in others.
func (s *Staging) lock() (unlock func(), err error) {
	f, err := s.root.OpenFile(".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// misplaced turns the error for a file in the place of a folder, or the reverse, into fs.ErrInvalid. The verdicts of
// "f" and of "f.json/g" cannot both exist in a folder, and a retry does not help.
func misplaced(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	return err
}
