package repomd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// MaxElement bounds one <package> element in bytes. The intake makes elements of up to 64 MiB.
const MaxElement = 65 << 20

const (
	elementStart = "<package "
	elementEnd   = "</package>\n"
)

// Packages yields the <package> elements of an index that begins with [Header] and ends with [Footer]. An
// element includes its newline. Its bytes are valid until the next iteration. An error is the last value; one of r is wrapped.
func Packages(r io.Reader, index string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		e := &elements{in: bufio.NewReaderSize(r, 64<<10)}
		count, err := e.header(index)
		for n := 0; err == nil; n++ {
			var more bool
			if more, err = e.next(index); err == nil && !more {
				if n == count {
					return
				}
				err = fmt.Errorf("%d packages, and not the %d that it says", n, count)
			}
			if err == nil && !yield(e.buf, nil) {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("it ends before its footer") // io.ErrUnexpectedEOF would be an error of the reader
		}
		yield(nil, fmt.Errorf("read %s.xml: %w", index, err))
	}
}

type elements struct {
	in  *bufio.Reader
	buf []byte
}

// header reads the text before the first element, and returns the number of elements that it declares.
func (e *elements) header(index string) (count int, err error) {
	e.buf = e.buf[:0]
	for range 2 {
		if _, err := e.line(); err != nil {
			return 0, err
		}
	}
	_, rest, _ := strings.Cut(string(e.buf), ` packages="`)
	if _, err := fmt.Sscanf(rest, "%d", &count); err != nil || !bytes.Equal(e.buf, Header(index, count)) {
		return 0, fmt.Errorf("its header is not ours: %.200q", e.buf)
	}
	return count, nil
}

// next reads the next element into e.buf. It reports false after the footer, which must end the index.
func (e *elements) next(index string) (more bool, err error) {
	e.buf = e.buf[:0]
	line, err := e.line()
	if err != nil {
		return false, err
	}
	if bytes.Equal(line, Footer(index)) {
		switch _, err := e.in.ReadByte(); {
		case err == nil:
			return false, errors.New("something follows its footer")
		case !errors.Is(err, io.EOF):
			return false, err
		}
		return false, nil
	}
	if !bytes.HasPrefix(line, []byte(elementStart)) {
		return false, fmt.Errorf("%.100q is where a package should be", line)
	}
	for string(line) != elementEnd {
		if line, err = e.line(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// line appends a line to e.buf and returns it. Text escapes "<", so a line of text cannot be mistaken for a
// tag.
func (e *elements) line() ([]byte, error) {
	for start := len(e.buf); ; {
		part, err := e.in.ReadSlice('\n')
		if len(e.buf)+len(part) > MaxElement {
			return nil, fmt.Errorf("an element of more than %d bytes", MaxElement)
		}
		switch e.buf = append(e.buf, part...); {
		case err == nil:
			return e.buf[start:], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
