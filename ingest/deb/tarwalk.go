package deb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

const tarBlock = 512 // bytes

// walkTar reads an archive as dpkg does when it installs (lib/dpkg/tarfn.c), and says, in a sentence without its
// subject, what stops dpkg there. A reader's own error is returned as it is. Nothing is kept.
func walkTar(r io.Reader) error {
	header := make([]byte, tarBlock)
	for n := 1; ; n++ {
		switch _, err := io.ReadFull(r, header); {
		case err == io.EOF:
			return nil // between two members: dpkg takes that for the end
		case err == io.ErrUnexpectedEOF:
			return tarProblem(fmt.Sprintf("ends in the header of member %d", n))
		case err != nil:
			return err
		}
		if !validSum(header) {
			if header[0] == 0 {
				return nil // no name: the end
			}
			return tarProblem(fmt.Sprintf("has a header with a wrong checksum, of member %d", n))
		}
		if header[0] == 0 {
			return nil
		}
		if problem := badNumber(header); problem != "" {
			return tarProblem(fmt.Sprintf("has a header whose %s is no number, of member %d", problem, n))
		}
		size, err := contentSize(header)
		if err == nil {
			err = skip(r, size)
		}
		if err != nil {
			return err
		}
	}
}

// tarNumbers are the fields, besides sum and size, that dpkg reads as numbers of any member (lib/dpkg/tarfn.c,
// tar_header_decode).
var tarNumbers = []struct {
	name       string
	begin, end int
}{{"mode", 100, 108}, {"owner", 108, 116}, {"group", 116, 124}, {"time", 136, 148}}

// badNumber names a field of a header that should be a number and is none, or nothing.
func badNumber(header []byte) string {
	for _, f := range tarNumbers {
		if b := header[f.begin:f.end]; b[0]&0x80 == 0 {
			if _, ok := tarNumber(b); !ok {
				return f.name
			}
		}
	}
	return ""
}

// A tarProblem is what stops dpkg.
type tarProblem string

func (p tarProblem) Error() string { return string(p) }

// contentSize returns how many bytes of content follow a header, with their padding.
func contentSize(header []byte) (int64, error) {
	switch kind := header[156]; kind {
	case 0, '0', 'L', 'K': // files, and the long names of GNU tar
		size, ok := tarNumber(header[124:136])
		if !ok || size > MaxSize*maxRatio {
			return 0, tarProblem("has a member with an impossible size")
		}
		return size + -size&(tarBlock-1), nil
	case '1', '2', '3', '4', '5', '6': // links, devices, folders and pipes: dpkg takes their size for zero
		return 0, nil
	case 'x', 'g':
		return 0, tarProblem("has PAX headers, which dpkg does not know; write it in the GNU format, as dpkg-deb does")
	default:
		return 0, tarProblem(fmt.Sprintf("has a member of the type %s, which dpkg does not know; write it in the GNU format, as dpkg-deb does", strconv.QuoteRuneToASCII(rune(kind))))
	}
}

// validSum reports whether a header has the sum of its bytes, with blanks in the place of the sum itself.
func validSum(header []byte) bool {
	want, ok := tarNumber(header[148:156])
	sum := int64(8 * ' ')
	for i, c := range header {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return ok && sum == want
}

// tarNumber reads octal digits, or eight binary bytes with the highest bit of the field set.
func tarNumber(b []byte) (n int64, ok bool) {
	if b[0]&0x80 != 0 {
		n = int64(binary.BigEndian.Uint64(b[len(b)-8:]))
		return n, b[0] == 0x80 && n >= 0
	}
	b = bytes.Trim(b, " \x00")
	if len(b) == 0 {
		return 0, true
	}
	v, err := strconv.ParseInt(string(b), 8, 64)
	return v, err == nil && v >= 0
}

// skip reads n bytes.
func skip(r io.Reader, n int64) error {
	switch got, err := io.CopyN(io.Discard, r, n); {
	case err == io.EOF && got < n:
		return tarProblem("ends in the content of a file")
	default:
		return err
	}
}
