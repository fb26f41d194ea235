package rpm

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// Bits of file modes and flags.
const (
	modeType    = 0o170000
	modeDir     = 0o040000
	modeSymlink = 0o120000
	flagGhost   = 1 << 6
)

// The longest names that file systems accept, in bytes. rpm unpacks a file, but not a directory, under its name with
// nine bytes more, ";" and eight digits, and then renames it.
const (
	maxBase     = 255
	maxUnpacked = maxBase - 9
	maxDir      = 4095
)

// A fileList has the files of a package in the memory of its header, so that half a million of them take no more.
type fileList struct {
	dirs                  []string // a path is a directory and a base name, concatenated
	inPrimary             []bool   // for each of dirs: whether primary.xml lists its files
	bases                 []byte   // each ends with a zero byte
	indexes, modes, flags []byte   // 4, 2 and 4 bytes for each file, big endian; flags may be absent
}

// A file is one path of the package: dir and base, concatenated.
type file struct {
	dir     string
	base    []byte // as in the header: UTF-8 or Latin-1
	kind    string // "dir", "ghost" or ""
	primary bool   // primary.xml lists it
}

// all yields the files in the order of the package.
func (l *fileList) all() iter.Seq[file] {
	return func(yield func(file) bool) {
		rest := l.bases
		for i := 0; len(rest) > 0; i++ {
			n := bytes.IndexByte(rest, 0)
			d := binary.BigEndian.Uint32(l.indexes[4*i:])
			f := file{dir: l.dirs[d], base: rest[:n], kind: fileKind(binary.BigEndian.Uint16(l.modes[2*i:]), isGhost(l.flags, i))}
			f.primary = l.inPrimary[d] || f.dir == "/usr/lib/" && string(f.base) == "sendmail"
			if !yield(f) {
				return
			}
			rest = rest[n+1:]
		}
	}
}

// isGhost reports whether file i is a %ghost, of which the payload has no contents. flags may be empty.
func isGhost(flags []byte, i int) bool {
	return len(flags) > 0 && binary.BigEndian.Uint32(flags[4*i:])&flagGhost != 0
}

// size estimates the bytes that [fragment.file] writes for all files, or for those of primary.xml: the exact number
// if nothing is escaped. It stops beyond maxFragments.
func (l *fileList) size(primary bool) (n int) {
	for f := range l.all() {
		if f.primary || !primary {
			n += len("    <file></file>\n") + len(f.dir) + len(f.base)
		}
		if f.kind != "" {
			n += len(` type=""`) + len(f.kind)
		}
		if n > maxFragments {
			break
		}
	}
	return n
}

// fileKind returns the type attribute of a file in an index. A %ghost %dir is a directory.
func fileKind(mode uint16, ghost bool) string {
	switch {
	case mode&modeType == modeDir:
		return "dir"
	case ghost:
		return "ghost"
	}
	return ""
}

// isPrimaryDir reports whether primary.xml lists the files of a directory, as createrepo_c does: those of /etc/, and
// of paths with "bin/" anywhere. Most dependencies on files name one of them.
func isPrimaryDir(dir string) bool {
	return strings.HasPrefix(dir, "/etc/") || strings.Contains(dir, "bin/")
}

// fileList returns the files. [headerIndex.checkArrays] must have accepted the lengths and types of their arrays.
func (x *headerIndex) fileList() (*fileList, error) {
	bases, ok := x.entries[tagBaseNames]
	if !ok {
		return x.dirList()
	}
	l, err := x.dirList()
	if err != nil {
		return nil, err
	}
	l.bases = x.data[bases.offset:bases.end]
	l.indexes, l.modes, l.flags = x.values(tagDirIndexes), x.values(tagFileModes), x.values(tagFileFlags)
	for i := range int(bases.count) {
		if d := binary.BigEndian.Uint32(l.indexes[4*i:]); int64(d) >= int64(len(l.dirs)) {
			return nil, input.Reject(catalog.Malformed, "file %d is in directory %d of %d; the tool that made the package is broken", i, d, len(l.dirs))
		}
	}
	return l, l.checkBases()
}

// dirList returns a list with the directories of the package and no files.
func (x *headerIndex) dirList() (*fileList, error) {
	e := x.entries[tagDirNames]
	if e.count > maxFiles {
		return nil, input.Reject(catalog.TooLarge, "the package has %d directories; at most %d are accepted", e.count, maxFiles)
	}
	l := &fileList{dirs: make([]string, 0, e.count), inPrimary: make([]bool, 0, e.count)}
	for rest := x.data[e.offset:e.end]; len(rest) > 0; {
		n := bytes.IndexByte(rest, 0)
		dir, err := decodePath("directory", rest[:n], maxDir)
		if err != nil {
			return nil, err
		}
		if err := checkComponents(rest[:n]); err != nil {
			return nil, err
		}
		l.dirs, l.inPrimary = append(l.dirs, dir), append(l.inPrimary, isPrimaryDir(dir))
		rest = rest[n+1:]
	}
	return l, nil
}

// checkComponents checks the length of each directory name in a path.
func checkComponents(dir []byte) error {
	for len(dir) > maxBase {
		n := bytes.IndexByte(dir, '/')
		if n < 0 {
			n = len(dir)
		}
		if _, err := decodePath("directory", dir[:n], maxBase); err != nil {
			return err
		}
		dir = dir[min(n+1, len(dir)):]
	}
	return nil
}

func (l *fileList) checkBases() error {
	rest := l.bases
	for i := 0; len(rest) > 0; i++ {
		n := bytes.IndexByte(rest, 0)
		base := rest[:n]
		rest = rest[n+1:]
		if bytes.IndexByte(base, '/') >= 0 {
			return input.Reject(catalog.BadField, "the file name %s has a '/' in it", input.Quote(string(base)))
		}
		if n > maxUnpacked && n <= maxBase && fileKind(binary.BigEndian.Uint16(l.modes[2*i:]), isGhost(l.flags, i)) == "" {
			return input.Reject(catalog.BadField, "the file name %s has %d bytes, and rpm unpacks no file whose name has more than %d: it adds nine while it does so; shorten it",
				input.Quote(string(base)), n, maxUnpacked)
		}
		if n <= maxBase && isPrintableASCII(base) {
			continue
		}
		if _, err := decodePath("file", base, maxBase); err != nil {
			return err
		}
	}
	return nil
}

// decodePath returns the name of a directory or a file in UTF-8. most is the longest that is accepted, in bytes; what
// is the kind of name for the rejection.
func decodePath(what string, name []byte, most int) (string, error) {
	s, ok := decodeStrict(string(name))
	switch {
	case len(name) > most:
		return "", input.Reject(catalog.BadField, "the %s name %s has %d bytes, and no file system takes more than %d; shorten it", what, input.Quote(s), len(name), most)
	case !ok:
		return "", input.Reject(catalog.BadField, "the %s name %s has a control character in it; rename it", what, input.Quote(s))
	}
	return s, nil
}

// values returns the bytes of all values of a tag.
func (x *headerIndex) values(tag uint32) []byte {
	e := x.entries[tag]
	return x.data[e.offset:e.end]
}
