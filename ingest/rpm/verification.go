package rpm

import (
	"bufio"
	"errors"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// VerifyWhole has the body unpack the payload and reject what rpm could not, or what differs from the header. It is
// called before Body.
func (p *Package) VerifyWhole() { p.verify = true }

// Close ends what a body runs beside itself that was not read to its end. It may be called while Body is read, and
// is called for every Package.
func (p *Package) Close() error {
	if p.running != nil {
		p.running.Close()
	}
	return nil
}

// verify starts to unpack a payload, as far as rpm reads it, and to compare it with the header. size is that of the payload,
// in bytes, or negative where the headers do not say it.
func verify(compressor string, size int64, c *contents) *input.Verification {
	limit := input.FreeOutput + input.WholeRatio*max(0, size)
	return input.Verify(func(r io.Reader) error { return unpackWhole(compressor, r, limit, c) })
}

// unpackWhole reads a payload up to the end of the archive in it, which has at most limit bytes: rpm reads no further.
func unpackWhole(compressor string, r io.Reader, limit int64, c *contents) error {
	in := bufio.NewReaderSize(r, 64<<10)
	peeked, _ := in.Peek(6) // an error comes again
	lead := string(peeked)
	out, done, err := unpacked(compressor, in)
	if err != nil {
		return payloadFault(compressor, []byte(lead), err)
	}
	defer done()
	err = c.compare(&archive{r: bufio.NewReaderSize(input.LimitReader(out, limit), 64<<10)})
	if err == nil {
		err = endFault(out)
	}
	if errors.Is(err, input.ErrLimit) {
		return input.Reject(catalog.TooLarge, "the payload unpacks to more than %d bytes, more than %d for each of its own", limit, input.WholeRatio)
	}
	return payloadFault(compressor, []byte(lead), err)
}
