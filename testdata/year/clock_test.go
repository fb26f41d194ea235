package year_test

import (
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
)

const day = 24 * time.Hour

// tellSQLite makes SQLite's clock, which the catalog asks for, that of the test that asks. Connections that are made before keep theirs.
var tellSQLite = sync.OnceFunc(func() {
	sqlite.MustRegisterScalarFunction("unixepoch", 2, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return float64(time.Now().UnixMilli()) / 1000, nil
	})
})

// stopwatch returns how long it is since the machine started, by a clock that no test replaces.
func stopwatch() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has it
	}
	return time.Duration(t.Nano())
}

// cpu returns the processor time that this process has spent.
func cpu() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err) // likewise
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// date gives the files below a folder that were written since a time of the machine the time of the simulation. A folder in which
// nothing was made or removed since then is not read.
func date(root string, since, to time.Time) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.ModTime().Before(since) {
			return err
		}
		files, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, f := range files {
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.ModTime().Before(since)) {
				continue
			}
			if err == nil {
				err = os.Chtimes(filepath.Join(path, f.Name()), to, to)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// machineTime returns the time of the machine: that of a file that is written now.
func machineTime(dir string) (time.Time, error) {
	path := filepath.Join(dir, "now")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return time.Time{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), os.Remove(path)
}
