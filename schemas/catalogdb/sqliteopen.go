package catalogdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// An openError says why the file of an SQLite catalog cannot be used, and what to do.
type openError struct {
	detail string
	cause  error
}

func (e *openError) Error() string { return e.detail }
func (e *openError) Unwrap() error { return e.cause }
func (e *openError) aboutCatalog() {}

// explainOpen makes a sentence of an error that a new connection met, where SQLite's own words leave open what to do.
func explainOpen(path string, err error) error {
	const mask, perm, readOnly, corrupt, full, cannotOpen, noDatabase = 0xff, 3, 8, 11, 13, 14, 26 // SQLITE_PERM and so on
	var e sqliteError
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & mask {
	case perm, readOnly, cannotOpen:
		return &openError{whyClosed(path), err}
	case noDatabase, corrupt:
		return &openError{fmt.Sprintf("%s is no SQLite database, or damaged: name another with --catalog or --data, or restore it (without a catalog, repomill up takes over what is published)", path), err}
	case full:
		return &openError{fmt.Sprintf("the disk of the catalog %s is full: make room on it", path), err}
	}
	return err
}

// asOwner is what helps a user who may not use the catalog.
const asOwner = "run the command as the user of repomill up or the worker (sudo -u)"

// whyClosed says why the file of a catalog cannot be opened, and what to do.
func whyClosed(path string) string {
	dir := filepath.Dir(path)
	folder, noDir := os.Stat(dir)
	info, noFile := os.Stat(path)
	switch {
	case errors.Is(noDir, fs.ErrNotExist):
		return fmt.Sprintf("there is no folder for the catalog %s: make it, or name another with --catalog or --data", path)
	case noDir == nil && !folder.IsDir():
		return fmt.Sprintf("%s, the folder of the catalog, is a file: name another with --catalog or --data", dir)
	case errors.Is(noFile, fs.ErrPermission):
		return fmt.Sprintf("this user may not enter the folder of the catalog %s: %s", path, asOwner)
	case noFile == nil && info.IsDir():
		return fmt.Sprintf("%s is a folder, and a catalog is a file: name another with --catalog or --data", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case err == nil:
		f.Close() //nolint:errcheck // nothing was written
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("the catalog %s is on a file system that is read-only, and is written to even by who only reads it", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not read and write the catalog %s, which is written to even by who only reads it: %s", path, asOwner)
	}
	if unix.Access(dir, unix.W_OK) == nil {
		return fmt.Sprintf("no catalog can be opened or made at %s: name another file with --catalog or --data", path)
	}
	return fmt.Sprintf("this user may not write to the folder of the catalog %s, where SQLite keeps a log even for who only reads: %s", path, asOwner)
}

// A schemaError says that the catalog lacks what a statement asks for.
type schemaError struct{ cause error }

func (e *schemaError) Error() string {
	return fmt.Sprintf("the catalog's schema is older than this program, or there is none yet (%v): run repomill migrate with the same --catalog; repomill up does that at its start", e.cause)
}
func (e *schemaError) Unwrap() error { return e.cause }
func (e *schemaError) aboutCatalog() {}
