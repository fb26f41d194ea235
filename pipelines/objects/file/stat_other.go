//go:build !linux

package file

import (
	"io/fs"
	"time"
)

// changed returns the time of a file's last change.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }

func inode(fs.FileInfo) uint64 { return 0 }

// written cannot be known here.
func (dir) written(string) (open, known bool) { return false, false }
