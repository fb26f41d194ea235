package catalogdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
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
	const mask, perm, readOnly, corrupt, cannotOpen, noDatabase = 0xff, 3, 8, 11, 14, 26 // SQLITE_PERM and so on
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	if _, missing := os.Stat(filepath.Dir(path)); errors.Is(missing, fs.ErrNotExist) {
		return &openError{fmt.Sprintf("there is no folder for the catalog %s: make it, or name another with --catalog or --data", path), err}
	}
	switch e.Code() & mask {
	case perm, readOnly, cannotOpen:
		return &openError{fmt.Sprintf("this user cannot open the catalog %s, which is written to even by who only reads it: run the command as the user of repomill up or the worker (sudo -u), or let this user write to the file and its folder", path), err}
	case noDatabase, corrupt:
		return &openError{fmt.Sprintf("%s is no SQLite database, or damaged: name another with --catalog or --data, or restore it (without a catalog, repomill up takes over what is published)", path), err}
	}
	return err
}
