package client

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"time"
)

// A reading is a file that shows how far it is read, as with a progress bar.
type reading struct {
	file  *os.File
	shown func(at int64)
}

// Read implements [io.Reader].
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if at, failed := r.file.Seek(0, io.SeekCurrent); failed == nil {
		r.shown(at)
	}
	return n, err
}

// A content is what is known of a body before it is sent. A file that changes while it is sent is refused by it.
type content struct {
	file   *os.File // nil if the body is not a file, and nothing is known
	shown  func(at int64)
	size   int64
	sha256 string // in hexadecimal
	crc32c string // as Cloud Storage writes it
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// measure reads a body that is a file, and puts it back to its start.
func measure(body io.Reader) (c content, err error) {
	c.shown = func(int64) {}
	switch body := body.(type) {
	case *reading:
		c.file, c.shown = body.file, body.shown
	case *os.File:
		c.file = body
	default:
		return c, nil
	}
	sum, crc := sha256.New(), crc32.New(castagnoli)
	c.size, err = io.Copy(io.MultiWriter(sum, crc), c.file)
	if err == nil {
		_, err = c.file.Seek(0, io.SeekStart)
	}
	c.sha256 = hex.EncodeToString(sum.Sum(nil))
	c.crc32c = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc.Sum32()))
	return c, err
}

// describe sets the length and the digest of a request whose body is the file.
func (c content) describe(req *http.Request) {
	if c.file == nil {
		return
	}
	if c.size == 0 { // which http takes for unknown
		req.Body = http.NoBody
	}
	req.ContentLength = c.size
	req.Header.Set("X-Checksum-Sha256", c.sha256)
}

// errStalled says that a connection did not get on.
var errStalled = errors.New("nothing was sent for two minutes")

// A moving body puts a timer off whenever some of it is read, and ends it when all is.
type moving struct {
	r     io.Reader
	timer *time.Timer
	stall time.Duration
}

// Read implements [io.Reader].
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil {
		m.timer.Stop()
	} else {
		m.timer.Reset(m.stall)
	}
	return n, err
}
