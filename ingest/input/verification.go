package input

import (
	"context"
	"errors"
	"io"
)

// How many bytes a payload may unpack to: more than nearly any package in the wild, and little enough that a bomb of a
// few hundred kilobytes costs seconds, not hours.
const (
	FreeOutput = 1 << 30 // of a payload of any size
	WholeRatio = 256     // beyond FreeOutput, for each byte of the payload
)

// maxUnpacking is how many payloads are unpacked at the same time: a small one may ask for a window of 64 MiB.
const maxUnpacking = 24

// unpacking has a value for each payload that is being unpacked.
var unpacking = make(chan struct{}, maxUnpacking)

// A Verification unpacks a payload on a goroutine of its own, while the bytes of the payload are written to it.
type Verification struct {
	in     *io.PipeWriter
	cancel context.CancelFunc // ends the wait for others
	done   chan struct{}      // closed when err is set
	err    error
}

var errAbandoned = errors.New("the package is not read any more")

// Verify starts a verification. unpack reads the payload as far as it needs, and returns nil or a rejection; its panic is
// a rejection, too. It waits while maxUnpacking others unpack. Every verification must be ended with [Verification.Result] or [Verification.Close].
func Verify(unpack func(payload io.Reader) error) *Verification {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	v := &Verification{in: w, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		defer cancel()
		defer r.CloseWithError(errAbandoned) //nolint:errcheck // never fails
		select {
		case unpacking <- struct{}{}:
			defer func() { <-unpacking }()
			v.err = Guard("the reader of payloads", func() error { return unpack(r) })
		case <-ctx.Done():
			v.err = errAbandoned
		}
	}()
	return v
}

// Write takes the next bytes of the payload, and never fails: Result returns what is wrong with them.
func (v *Verification) Write(p []byte) (int, error) {
	v.in.Write(p) //nolint:errcheck // fails once unpack has returned
	return len(p), nil
}

// Result waits until unpack has returned, and returns its error. All of the payload must have been written.
func (v *Verification) Result() error {
	v.in.Close() //nolint:errcheck // never fails
	<-v.done
	return v.err
}

// Close ends a verification that gets no more bytes, and waits for its goroutine. It may be called at any time, while
// another goroutine calls Write, and again; after Result it does nothing.
func (v *Verification) Close() {
	v.cancel()
	v.in.CloseWithError(errAbandoned) //nolint:errcheck // never fails
	<-v.done
}
