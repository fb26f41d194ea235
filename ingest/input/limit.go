package input

import (
	"errors"
	"io"
)

// ErrLimit is the error of a [LimitReader] whose limit is reached.
var ErrLimit = errors.New("the limit of bytes is reached")

// LimitReader returns a reader of the first n bytes of r. Unlike that of [io.LimitReader], its end is an error, [ErrLimit],
// so that a reader above can distinguish a limit from the end of the data.
func LimitReader(r io.Reader, n int64) io.Reader { return &limited{r, n} }

type limited struct {
	r    io.Reader
	left int64 // bytes
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, ErrLimit
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
