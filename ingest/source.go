package ingest

import (
	"io"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/input"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
)

// uploadResolution is the resolution of upload times in the catalog.
const uploadResolution = time.Second

// A source is a package that is being read.
type source interface {
	Identity() catalog.Package
	Body() io.Reader
	Describe(k *catalog.Package) error

	// VerifyWhole makes Body unpack the payload while it is read, and reject one that clients could not unpack.
	VerifyWhole()
	Close() error
}

// startVerification makes a source verify what a repository requires, and returns what that is. done must be called
// when the source is not read any more.
func startVerification(pkg source, verify catalog.VerifyPayload) (checked catalog.Checked, done func()) {
	if checked = catalog.CheckedStructure; verify == catalog.VerifyAlways {
		pkg.VerifyWhole()
		checked = catalog.CheckedWhole
	}
	return checked, func() { pkg.Close() } //nolint:errcheck // never fails
}

// verifyClosely makes a source that was [deb.Unclear] unpack its payload, and reports whether it can.
func verifyClosely(pkg source) bool {
	d, ok := pkg.(*deb.Package)
	if ok {
		d.VerifyClosely()
	}
	return ok
}

// peek reads a package as far as its identity.
func peek(f catalog.Format, r io.Reader) (pkg source, err error) {
	err = guard(func() error {
		if f == catalog.DEB {
			pkg, err = deb.Peek(r)
		} else {
			pkg, err = rpm.Peek(r)
		}
		return err
	})
	return pkg, err
}

// guard turns a panic of a reader into a rejection ([input.Guard]).
func guard(f func() error) error { return input.Guard("the reader of packages", f) }

// A limitedReader rejects a file with more than left bytes.
type limitedReader struct {
	io.Reader
	left      int64
	cancelled func() error // returns the reason to stop reading, or nil
}

func (b *limitedReader) Read(p []byte) (int, error) {
	if err := b.cancelled(); err != nil {
		return 0, err
	}
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, input.Reject(catalog.TooLarge, "the file is larger than this repository takes; raise --max-package-size or ship less")
	}
	return n, err
}
