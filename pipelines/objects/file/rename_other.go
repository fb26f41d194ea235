//go:build !linux

package file

import (
	"errors"
	"math"
	"os"
)

// renameNew renames a file of a folder to a name in this one that must be free, or returns fs.ErrExist.
func (d dir) renameNew(from dir, old, name string) error { return d.linkNew(from, old, name) }

// createUnnamed and linkFile are for Linux.
func (d dir) createUnnamed() (*os.File, error)    { return nil, errors.ErrUnsupported }
func (d dir) linkFile(_ *os.File, _ string) error { return errors.ErrUnsupported }

// Free returns how many bytes may still be written to staging: here, the next write says it.
func (s *Staging) Free() (int64, error) { return math.MaxInt64, nil }
