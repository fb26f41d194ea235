package upload

import (
	"errors"
	"io"
)

// roomStep is after how many bytes of a body it is asked again whether staging has room: of a body whose size was not said,
// and of several at a time, what was free before says little.
const roomStep = 1 << 20

var errNoRoom = errors.New("staging is full")

// roomed returns a body that ends with errNoRoom where less than spareRoom would stay free.
func (h *Handler) roomed(body io.Reader) io.Reader {
	if h.Room == nil {
		return body
	}
	return &roomed{body: body, room: h.Room}
}

type roomed struct {
	body  io.Reader
	room  func() (int64, error)
	since int64 // bytes since it was asked
}

// Read implements [io.Reader].
func (r *roomed) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if r.since += int64(n); r.since < roomStep {
		return n, err
	}
	r.since = 0
	if free, failed := r.room(); failed == nil && free < spareRoom {
		return 0, errNoRoom
	}
	return n, err
}
