package deb

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"

	"repomill/ingest/input"
)

// walkTar reads an archive as dpkg does when it installs (lib/dpkg/tarfn.c, tar_extractor), and says, in a sentence
// without its subject, what stops dpkg there. A reader's own error is returned as it is. Of the members their names
// are kept, as [tree] has it.
func walkTar(r io.Reader, files *tree) error {
	err := walkMembers(r, files)
	if err == nil || errors.Is(err, input.ErrLimit) {
		err = cmp.Or(files.checkConfigure(), err)
	}
	return err
}

func walkMembers(r io.Reader, files *tree) error {
	header := make([]byte, tarBlock)
	var long tarHeader // the names of GNU tar for the next member
	for n := 1; ; n++ {
		switch _, err := io.ReadFull(r, header); {
		case err == io.EOF:
			return nil // between two members: dpkg takes that for the end
		case err == io.ErrUnexpectedEOF:
			return tarProblem(fmt.Sprintf("ends in the header of member %d", n))
		case err != nil:
			return err
		}
		h, problem := decodeHeader(header)
		if problem != "" {
			if h.name == "" {
				return nil // the end: a block of zeros, whose sum is wrong
			}
			return tarProblem(fmt.Sprintf("%s, of member %d", problem, n))
		}
		var err error
		switch {
		case h.kind == 'L' && h.name != "":
			long.name, err = readLong(r, h.size)
			long.kind |= 1
		case h.kind == 'K' && h.name != "":
			long.link, err = readLong(r, h.size)
			long.kind |= 2
		default:
			if long.kind&1 != 0 {
				h.name = long.name
			}
			if long.kind&2 != 0 {
				h.link = long.link
			}
			long = tarHeader{}
			err = walkMember(r, h, n, files)
		}
		if err != nil {
			return err
		}
	}
}

// walkMember looks at member n and skips its content.
func walkMember(r io.Reader, h tarHeader, n int, files *tree) error {
	if h.name == "" {
		return tarProblem(fmt.Sprintf("has a member without a name, member %d", n))
	}
	switch h.kind {
	case 0, '0':
		if err := files.add(h); err != nil {
			return err
		}
		return skip(r, h.size)
	case '1', '2', '3', '4', '5', '6': // links, devices, folders and pipes: dpkg takes their size for zero
	case 'x', 'g':
		return tarProblem("has PAX headers, which dpkg does not know; write it in the GNU format, as dpkg-deb does")
	default:
		return tarProblem(fmt.Sprintf("has a member of the type %s, which dpkg does not know; write it in the GNU format, as dpkg-deb does", strconv.QuoteRuneToASCII(rune(h.kind))))
	}
	return files.add(h)
}

// A tarProblem is what stops dpkg.
type tarProblem string

func (p tarProblem) Error() string { return string(p) }

// readLong reads the content of a member that has the name of the next one. Of a name that is too long for any
// system no more is kept than shows that.
func readLong(r io.Reader, size int64) (string, error) {
	b := make([]byte, min(size, maxPath+1))
	if _, err := io.ReadFull(r, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		return "", tarProblem("ends in the name of a file")
	} else if err != nil {
		return "", err
	}
	if err := skipTo(r, int64(len(b)), size); err != nil {
		return "", err
	}
	return string(b[:bytes.IndexByte(append(b, 0), 0)]), nil
}

// skip reads the content of a member, with its padding.
func skip(r io.Reader, size int64) error { return skipTo(r, 0, size) }

// skipTo reads on in the content of a member, from this byte.
func skipTo(r io.Reader, from, size int64) error {
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
