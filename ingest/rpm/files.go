package rpm

import (
	"strings"

	"repomill/schemas/catalog"
)

// Bits of file modes and flags.
const (
	modeType  = 0o170000
	modeDir   = 0o040000
	flagGhost = 1 << 6
)

// files returns the paths of the package in its order. The guard has seen that the arrays have equal
// lengths.
func (t *tags) files() []file {
	bases, dirs := t.texts(tagBaseNames), t.texts(tagDirNames)
	indexes, modes, flags := t.numbers(tagDirIndexes), t.numbers(tagFileModes), t.numbers(tagFileFlags)
	if t.err != nil || len(bases) == 0 {
		return nil
	}
	for i, dir := range dirs {
		dirs[i] = t.path("directory", dir)
	}
	files := make([]file, len(bases))
	for i, base := range bases {
		if int64(indexes[i]) >= int64(len(dirs)) {
			t.fail(reject(catalog.Malformed, "file %d is in directory %d of %d; the tool that made the package is broken", i, indexes[i], len(dirs)))
			return nil
		}
		if strings.Contains(base, "/") {
			t.fail(reject(catalog.BadField, "the file name %s has a '/' in it", quote(base)))
		}
		files[i] = file{dir: dirs[indexes[i]], base: t.path("file", base), kind: kindOf(modes[i], flags[i])}
	}
	return files
}

func (t *tags) path(what, s string) string {
	s, ok := strict(s)
	if !ok {
		t.fail(reject(catalog.BadField, "the %s name %s has a control character in it; rename it", what, quote(s)))
	}
	return s
}

// kindOf returns the type that an index gives a file: a %ghost %dir is a directory.
func kindOf(mode, flags uint32) string {
	switch {
	case mode&modeType == modeDir:
		return "dir"
	case flags&flagGhost != 0:
		return "ghost"
	}
	return ""
}

// primary reports whether a path is one of those by which most packages require files, and which
// primary.xml therefore lists. "bin/" counts anywhere: clients expect exactly that.
func primary(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}
