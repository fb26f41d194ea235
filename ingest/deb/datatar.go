package deb

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"repomill/ingest/input"
)

// checkTar reads an archive as dpkg does when it installs (lib/dpkg/tarfn.c, tar_extractor), and records the names of
// its members in files. The error is a [tarProblem], which stops dpkg, or an error of r.
func checkTar(r io.Reader, files *fileTree) error {
	err := checkTarMembers(r, files)
	if err == nil || errors.Is(err, input.ErrLimit) {
		err = cmp.Or(files.checkConfigure(), err)
	}
	return err
}

func checkTarMembers(r io.Reader, files *fileTree) error {
	return walkTar(r, func(h tarHeader, n int) error { return checkDataMember(r, h, n, files) })
}

// walkTar calls member for each member of an archive, from 1 on, with the names that it has in the end. member reads, or skips, the
// content. The error is that of member, a [tarProblem], or an error of r.
func walkTar(r io.Reader, member func(h tarHeader, n int) error) error {
	header := make([]byte, tarBlock)
	var long tarHeader // names for the next member, in the format of GNU tar
	for n := 1; ; n++ {
		switch _, err := io.ReadFull(r, header); {
		case err == io.EOF:
			return nil // dpkg accepts an end between two members
		case err == io.ErrUnexpectedEOF:
			return tarProblem(fmt.Sprintf("ends in the header of member %d", n))
		case err != nil:
			return err
		}
		h, problem := decodeHeader(header)
		if problem != "" {
			if h.name == "" {
				return nil // the end: a block of zeros, whose checksum is wrong
			}
			return tarProblem(fmt.Sprintf("%s, of member %d", problem, n))
		}
		var err error
		switch {
		case h.kind == 'L' && h.name != "":
			long.name, err = readLongName(r, h.size)
			long.kind |= 1
		case h.kind == 'K' && h.name != "":
			long.link, err = readLongName(r, h.size)
			long.kind |= 2
		default:
			if long.kind&1 != 0 {
				h.name = long.name
			}
			if long.kind&2 != 0 {
				h.link = long.link
			}
			long = tarHeader{}
			err = member(h, n)
		}
		if err != nil {
			return err
		}
	}
}

// checkDataMember checks member n and skips its content.
func checkDataMember(r io.Reader, h tarHeader, n int, files *fileTree) error {
	if h.name == "" {
		return tarProblem(fmt.Sprintf("has a member without a name, member %d", n))
	}
	switch h.kind {
	case 0, '0':
		if err := files.add(h); err != nil {
			return err
		}
		return skipContent(r, h.size)
	case '1', '2', '3', '4', '5', '6': // links, devices, folders and pipes have no content for dpkg
	case 'x', 'g':
		return tarProblem("has PAX headers, which dpkg does not know; write it in the GNU format, as dpkg-deb does")
	default:
		return tarProblem(fmt.Sprintf("has a member of the type %s, which dpkg does not know; write it in the GNU format, as dpkg-deb does", strconv.QuoteRuneToASCII(rune(h.kind))))
	}
	return files.add(h)
}

// A tarProblem is what stops dpkg in an archive: a sentence without its subject, which is the archive.
type tarProblem string

func (p tarProblem) Error() string { return string(p) }

// readLongName reads the content of a member that has the name of the next one. It returns at most maxPath+1 bytes,
// which is too long for any system.
func readLongName(r io.Reader, size int64) (string, error) {
	b := make([]byte, min(size, maxPath+1))
	if _, err := io.ReadFull(r, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		return "", tarProblem("ends in the name of a file")
	} else if err != nil {
		return "", err
	}
	if err := skipRest(r, int64(len(b)), size); err != nil {
		return "", err
	}
	return string(b[:bytes.IndexByte(append(b, 0), 0)]), nil
}

// skipContent skips the content of a member and its padding.
func skipContent(r io.Reader, size int64) error { return skipRest(r, 0, size) }

// skipRest skips the content of a member and its padding behind the first from bytes.
func skipRest(r io.Reader, from, size int64) error {
	rest := tarProblem("ends in the content of a file")
	if size > MaxSize*maxRatio {
		return tarProblem("has a member with an impossible size")
	}
	n := size + -size&(tarBlock-1) - from
	switch got, err := io.CopyN(io.Discard, r, n); {
	case err == io.EOF && got < n:
		return rest
	default:
		return err
	}
}

const tarBlock = 512 // bytes

// A tarHeader has the values that dpkg reads of the header of a member of data.tar.
type tarHeader struct {
	name, link string
	kind       byte
	size       int64 // bytes of content, as the header says
}

// decodeHeader reads a header as dpkg does (lib/dpkg/tarfn.c, tar_header_decode). problem is what stops dpkg, as the
// text of a [tarProblem], or "".
func decodeHeader(b []byte) (h tarHeader, problem string) {
	h = tarHeader{name: cString(b[:100]), link: cString(b[157:257]), kind: b[156]}
	if prefix := cString(b[345:500]); string(b[257:263]) == "ustar\x00" && prefix != "" {
		h.name = prefix + "/" + h.name
	}
	if sum, ok := octal(b[148:156]); !ok || sum != checksum(b) {
		return h, "has a header with a wrong checksum"
	}
	var ok bool
	if h.size, ok = tarNumber(b[124:136], 0, math.MaxInt64); !ok {
		return h, "has a header with an impossible size"
	}
	// dpkg does not check whether the mode is a number.
	for _, f := range []struct {
		name       string
		begin, end int
		low, high  int64
	}{{"time", 136, 148, math.MinInt64, math.MaxInt64}, {"owner", 108, 116, 0, math.MaxUint32}, {"group", 116, 124, 0, math.MaxUint32}} {
		if _, ok := tarNumber(b[f.begin:f.end], f.low, f.high); !ok {
			return h, "has a header whose " + f.name + " is not a number, or out of range"
		}
	}
	return h, ""
}

// cString returns the bytes before the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// checksum returns the sum of the bytes of a header, with blanks in the place of its checksum.
func checksum(header []byte) int64 {
	sum := int64(8 * ' ')
	for i, c := range header {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum
}

// tarNumber reads octal digits, or a binary number in two's complement that begins with 0x80 or, if negative, with
// 0xff. ok is false beyond low and high.
func tarNumber(b []byte, low, high int64) (_ int64, ok bool) {
	if b[0] != 0x80 && b[0] != 0xff {
		return octal(b)
	}
	sign := byte(0)
	if b[0] == 0xff {
		sign = 0xff
	}
	for b = b[1:]; len(b) > 8; b = b[1:] {
		if b[0] != sign {
			return 0, false
		}
	}
	n := uint64(int64(int8(sign)))
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if len(b) == 8 && b[0]&0x80 != sign&0x80 {
		return 0, false
	}
	return int64(n), int64(n) >= low && int64(n) <= high
}

// octal reads up to twelve octal digits, with blanks before and blanks or NULs behind them.
func octal(b []byte) (int64, bool) {
	if b = bytes.TrimLeft(b, " "); len(b) == 0 {
		return 0, false
	}
	n := int64(0)
	for len(b) > 0 && b[0] != 0 && b[0] != ' ' {
		if b[0] < '0' || b[0] > '7' {
			return 0, false
		}
		n, b = n<<3|int64(b[0]-'0'), b[1:]
	}
	return n, len(bytes.Trim(b, " \x00")) == 0
}
