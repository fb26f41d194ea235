package rpm

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"repomill/ingest/input"
)

// Magics of the header of a file in a cpio archive. rpm ignores the checksum of the second form.
const (
	magicNewc     = "070701"
	magicCRC      = "070702"
	magicStripped = "07070X" // of rpm, for packages with files of 4 GiB: it has the number of a file of the header alone
)

const (
	cpioTrailer  = "TRAILER!!!"
	maxEntryName = 4096 // bytes, with its zero byte; the limit of rpm
)

// A cpioProblem is what stops rpm in an archive: a sentence without its subject, which is the archive.
type cpioProblem string

func (p cpioProblem) Error() string { return string(p) }

func newProblem(format string, args ...any) error { return cpioProblem(fmt.Sprintf(format, args...)) }

// A cpioArchive reads a cpio archive as rpm does (lib/cpio.c). An error of r is returned unchanged. If r ends within
// the archive, the error is [io.EOF] or [io.ErrUnexpectedEOF].
type cpioArchive struct {
	r    io.Reader
	at   int64  // bytes that were read
	name []byte // buffer for the name of an entry
}

// A cpioEntry is the header of one file in an archive.
type cpioEntry struct {
	stripped bool
	index    uint64 // of the file in the header of the package, if stripped
	name     []byte // if not stripped; valid until the next entry is read
	size     int64  // bytes, if not stripped
}

// next reads the header of the next file. end reports that it is the trailer of the archive.
func (a *cpioArchive) next() (e cpioEntry, end bool, err error) {
	var head [14 * 8]byte // the longest form has 13 numbers
	if err := a.pad(); err != nil {
		return e, false, err
	}
	begin, magic := a.at, head[:6]
	if err := a.fill(magic); err != nil {
		return e, false, err
	}
	switch string(magic) {
	case magicStripped:
		if err := a.fill(head[:8]); err != nil {
			return e, false, err
		}
		index, ok := cpioNumber(head[:8])
		if !ok {
			return e, false, newProblem("has a header that holds no number, at byte %d", begin)
		}
		return cpioEntry{stripped: true, index: index}, index == 1<<32-1, a.pad()
	case magicNewc, magicCRC:
	default:
		if begin == 0 {
			return e, false, newProblem("begins with %s, and not as such archives do", input.Quote(string(magic)))
		}
		return e, false, newProblem("has %s at byte %d, where the header of a file or its end should be", input.Quote(string(magic)), begin)
	}
	if err := a.fill(head[:13*8]); err != nil {
		return e, false, err
	}
	size, ok := cpioNumber(head[6*8 : 7*8])
	length, fine := cpioNumber(head[11*8 : 12*8])
	if !ok || !fine || length == 0 || length > maxEntryName {
		return e, false, newProblem("has a header with an impossible number, at byte %d", begin)
	}
	if a.name == nil {
		a.name = make([]byte, maxEntryName)
	}
	name := a.name[:length]
	if err := a.fill(name); err != nil {
		return e, false, err
	}
	name, _, _ = bytes.Cut(name, []byte{0})
	return cpioEntry{name: name, size: int64(size)}, string(name) == cpioTrailer, a.pad()
}

// cpioNumber reads eight hexadecimal digits.
func cpioNumber(b []byte) (n uint64, ok bool) {
	n, err := strconv.ParseUint(string(b), 16, 32)
	return n, err == nil
}

func (a *cpioArchive) fill(p []byte) error {
	n, err := io.ReadFull(a.r, p)
	a.at += int64(n)
	return err
}

// pad reads up to the next multiple of four bytes.
func (a *cpioArchive) pad() error {
	var p [3]byte
	return a.fill(p[:-a.at&3])
}

// copy reads n bytes of contents into w.
func (a *cpioArchive) copy(w io.Writer, n int64) error {
	got, err := io.CopyN(w, a.r, n)
	a.at += got
	return err
}
