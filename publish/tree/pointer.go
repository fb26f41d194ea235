package tree

import (
	"context"
	"errors"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// ErrForeign says that another instance made what is published: this catalog did not, and no key of this instance signed it,
// so that its rows may not be taken over.
var ErrForeign = errors.New("what is published was made by another instance, with another key: set --signing-key to the key that published it, or --bucket to another bucket")

// A Pointer is the parsed content of a pointer file.
type Pointer struct {
	Revision catalog.Revision
	Date     time.Time
	Indexes  []Index
	Hints    []string // RPM: of keys
	Plain    []string // DEB: keys of the plain-named indexes
}

// An Index is an index as a pointer has it, under its immutable key.
type Index struct {
	Name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	Packed Object
	Open   Object // its text, which has no key of its own
}

// Live returns the keys of the indexes that a pointer names.
func (ptr Pointer) Live() map[string]bool {
	keys := map[string]bool{}
	for _, x := range ptr.Indexes {
		keys[x.Packed.Key] = true
	}
	return keys
}

// A pointerFormat parses the pointers of one package format.
type pointerFormat interface {
	// parse reads a pointer.
	parse(r catalog.Release, body []byte) (Pointer, error)

	// text returns what the signature of a pointer covers, unverified.
	text(body []byte) []byte

	// open is parse that verifies the signature first. If there is no good one, the error is [ErrForeign].
	open(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error)

	// pairKeys returns the keys of the pair files of a release, the plain-named indexes left out.
	pairKeys(r catalog.Release) []string
}

func pointerFormatOf(r catalog.Release) pointerFormat {
	if r.Arch == "" {
		return debPointer{}
	}
	return rpmPointer{}
}

// ParsePointer parses the bytes of a release's pointer. It verifies no signature.
func ParsePointer(r catalog.Release, body []byte) (Pointer, error) {
	return pointerFormatOf(r).parse(r, body)
}

// OpenPointer verifies and parses the bytes of a release's pointer. If no key in keys has signed it, the error is
// [ErrForeign]. The signature of an RPM release is read from the bucket.
func OpenPointer(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error) {
	return pointerFormatOf(r).open(ctx, b, keys, r, body)
}

// SignedText returns what the signature of a release's pointer covers, unverified; nil if it has no signature to cut off.
func SignedText(r catalog.Release, body []byte) []byte { return pointerFormatOf(r).text(body) }

// RevisionOf returns the revision in the bytes of a release's pointer. It verifies no signature.
func RevisionOf(r catalog.Release, body []byte) (catalog.Revision, error) {
	ptr, err := ParsePointer(r, body)
	return ptr.Revision, err
}
