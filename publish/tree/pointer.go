package tree

import (
	"context"
	"errors"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// ErrForeign says that what is published is not ours: this catalog never made it, and it has no
// signature by our key that would let us take it over.
var ErrForeign = errors.New("what is published was made by another instance, with another key: set --signing-key to the key that published it, or --bucket to another bucket")

// A pointer is what a pointer's bytes say.
type Pointer struct {
	Revision catalog.Revision
	Date     time.Time
	Indexes  []Index
	Hints    []string // RPM: of keys
	Plain    []string // DEB: keys of the plain-named indexes
}

// A listed index is an index as a pointer has it, under its immutable key.
type Index struct {
	Name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	Packed Object
	Open   Object // its text, which has no key of its own
}

// live returns the keys of the indexes that a pointer names.
func (ptr Pointer) Live() map[string]bool {
	keys := map[string]bool{}
	for _, x := range ptr.Indexes {
		keys[x.Packed.Key] = true
	}
	return keys
}

// A pointerFormat is how the pointers of a format are written.
type pointerFormat interface {
	// parse reads a pointer.
	parse(r catalog.Release, body []byte) (Pointer, error)

	// text returns what the signature of a pointer covers, unverified.
	text(body []byte) []byte

	// open is parse that verifies the signature first. If there is no good one, the error is [ErrForeign].
	open(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error)

	// pairKeys returns the keys of the files that go with any pointer of a release.
	pairKeys(r catalog.Release) []string
}

func pointerFormatOf(r catalog.Release) pointerFormat {
	if r.Arch == "" {
		return debPointer{}
	}
	return rpmPointer{}
}

// parsePointer reads the bytes of a release's pointer. Signatures are not looked at.
func ParsePointer(r catalog.Release, body []byte) (Pointer, error) {
	return pointerFormatOf(r).parse(r, body)
}

// openPointer verifies and reads the bytes of a release's pointer. If no key made a good signature, the error is [ErrForeign].
func OpenPointer(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error) {
	return pointerFormatOf(r).open(ctx, b, keys, r, body)
}

// signedText returns what the signature of a release's pointer covers, unverified; nil if that is not to be found.
func SignedText(r catalog.Release, body []byte) []byte { return pointerFormatOf(r).text(body) }

// RevisionOf returns the revision in the bytes of a release's pointer. Signatures are not looked at.
func RevisionOf(r catalog.Release, body []byte) (catalog.Revision, error) {
	ptr, err := ParsePointer(r, body)
	return ptr.Revision, err
}
