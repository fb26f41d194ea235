package ingest

import (
	"io"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/input"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
)

// timeUnit is the resolution of upload times.
const timeUnit = time.Second

// A source is a package being read.
type source interface {
	Identity() catalog.Package
	Body() io.Reader
	Describe(k *catalog.Package) error

	// VerifyWhole has Body unpack the payload while its bytes go by, and reject one that clients could not unpack.
	VerifyWhole()
	Close() error
}

// check has a source verify what a repository asks for, and returns what that is. done is called when the source is not
// read any more.
func check(pkg source, verify catalog.VerifyPayload) (checked catalog.Checked, done func()) {
	if checked = catalog.CheckedStructure; verify == catalog.VerifyAlways {
		pkg.VerifyWhole()
		checked = catalog.CheckedWhole
	}
	return checked, func() { pkg.Close() } //nolint:errcheck // never fails
}

// lookCloser has a source of which a look at the structure said too little unpack the payload after all, and reports whether
// it does.
func lookCloser(pkg source) bool {
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

// bounded is a reader that rejects what is longer than a number of bytes.
type bounded struct {
	io.Reader
	left    int64
	stopped func() error // why there is no point in reading on, if there is none
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.stopped(); err != nil {
		return 0, err
	}
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, input.Reject(catalog.TooLarge, "the file is larger than this repository takes; raise --max-package-size or ship less")
	}
	return n, err
}
