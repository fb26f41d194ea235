package rpm

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
)

// How much a payload may unpack to, in bytes: more than nearly any package in the wild, and little enough that a few
// hundred kilobytes of a bomb cost seconds, not hours.
const (
	verifyFree  = 1 << 30
	verifyRatio = 256 // beyond verifyFree, for each byte of the payload
)

// VerifyWhole has the body unpack the payload and reject what rpm could not, or what differs from the header. It is
// called before Body.
func (p *Package) VerifyWhole() { p.verify = true }

// Close ends what a body runs beside itself that was not read to its end. It may be called while Body is read, and
// is called for every Package.
func (p *Package) Close() error {
	if p.running != nil {
		p.running.close()
	}
	return nil
}

// A verification unpacks a payload on a goroutine of its own, as far as rpm reads it, and compares it with the header.
// Its own panic is a rejection.
type verification struct {
	in   *io.PipeWriter
	done chan struct{} // closed when
	err  error         // is known
}

var errAbandoned = errors.New("the package is not read any more")

// startVerification starts one. size is that of the payload, or negative.
func startVerification(compressor string, size int64, c *contents) *verification {
	r, w := io.Pipe()
	v := &verification{in: w, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		v.err = unpackWhole(compressor, r, verifyFree+verifyRatio*max(0, size), c)
		r.CloseWithError(errAbandoned) //nolint:errcheck // never fails
	}()
	return v
}

// write hands on bytes. What is wrong with them, end says.
func (v *verification) write(p []byte) { v.in.Write(p) } //nolint:errcheck // it ends early where something is wrong

// end says what is wrong with the payload, when all is written.
func (v *verification) end() error {
	v.in.Close() //nolint:errcheck // never fails
	<-v.done
	return v.err
}

// close ends a verification that gets no more bytes. After end it does nothing.
func (v *verification) close() {
	v.in.CloseWithError(errAbandoned) //nolint:errcheck // never fails
	<-v.done
}

// unpackWhole reads a payload up to the end of the archive in it, which has at most limit bytes: rpm reads no further.
func unpackWhole(compressor string, r io.Reader, limit int64, c *contents) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = reject(catalog.ParserPanic, "the reader of payloads failed on this package: %s; please report it", quote(fmt.Sprint(v)))
		}
	}()
	in := bufio.NewReaderSize(r, 64<<10)
	peeked, _ := in.Peek(6) // an error comes again
	lead := string(peeked)
	out, done, err := unpacked(compressor, in)
	if err != nil {
		return payloadFault(compressor, []byte(lead), err)
	}
	defer done()
	err = c.compare(&archive{r: bufio.NewReaderSize(&cut{r: out, left: limit}, 64<<10)})
	if err == nil {
		err = endFault(out)
	}
	if errors.Is(err, errCut) {
		return reject(catalog.TooLarge, "the payload unpacks to more than %d bytes, more than %d for each of its own", limit, verifyRatio)
	}
	return payloadFault(compressor, []byte(lead), err)
}

var errCut = errors.New("more is not unpacked")

// A cut reader ends with errCut.
type cut struct {
	r    io.Reader
	left int64 // bytes
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errCut
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
