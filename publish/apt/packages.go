package apt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

// MaxStanza bounds one stanza in bytes. The intake takes control files of up to 1 MiB.
const MaxStanza = 4 << 20

// Stanzas yields the stanzas of a Packages index in the form that repomill renders: one blank line follows
// each. A stanza ends in one newline. Its bytes are valid until the next iteration. An error is the last value; one of r is wrapped.
func Stanzas(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for stanza := []byte(nil); ; {
			var err error
			stanza, err = readStanza(in, stanza[:0])
			if errors.Is(err, io.EOF) && len(stanza) == 0 {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read Packages: %w", ended(err)))
				return
			}
			if !yield(stanza, nil) {
				return
			}
		}
	}
}

// readStanza appends a stanza to buf and reads the blank line after it. At the end of the index it
// returns an empty stanza and io.EOF.
func readStanza(in *bufio.Reader, buf []byte) ([]byte, error) {
	for start := 0; ; {
		line, err := in.ReadSlice('\n')
		if len(buf)+len(line) > MaxStanza {
			return buf, fmt.Errorf("a stanza of more than %d bytes", MaxStanza)
		}
		if len(line) == 1 && start == len(buf) && err == nil {
			if start == 0 {
				return buf, errors.New("a blank line where a stanza should begin")
			}
			return buf, nil
		}
		switch buf = append(buf, line...); {
		case err == nil:
			start = len(buf)
		case !errors.Is(err, bufio.ErrBufferFull):
			return buf, err
		}
	}
}

// ended replaces io.EOF, for an input that ends within a stanza. The error is none of a reader: who gets one of those may read again.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it ends within a stanza")
	}
	return err
}
