package publish

import (
	"context"
	"fmt"
	"time"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A format has the differences between DEB and RPM releases in rendering and signing. Package tree has those in reading.
type format struct {
	indexer
	signatures
}

// An indexer plans and describes the indexes of a release.
type indexer interface {
	// plan returns the indexes that a release has.
	plan(snap *catalogdb.Snapshot) (render.Plan, error)

	// pointer returns the unsigned pointer of a rendering.
	pointer(snap *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, x extras) []byte

	// file returns an index with the keys under which it is stored.
	file(r catalog.Release, x *render.Index) indexFile
}

// extras are parts of a pointer that do not follow from rows.
type extras struct {
	hints     []string // RPM: key hints
	publicURL string   // DEB: the URL below which clients find snapshots; empty if it is not known
}

// signatures signs a pointer, and makes and repairs its pair files.
type signatures interface {
	// inseparable reports whether clients refuse a pointer that does not fit its pair files.
	inseparable() bool

	// pause returns how long to wait before the next swap.
	pause(old tree.Published) time.Duration

	// sign returns the signed pointer and its pair files.
	sign(k Keys, d unsignedRelease, date time.Time) (signed, error)

	// signedBy verifies the published pointer, and returns its signers in the form of [Keys.SignedBy].
	signedBy(ctx context.Context, b tree.Reader, k Keys, old tree.Published) (string, error)

	// resign signs a verified pointer again. The new one may have another date and other key hints, and is the same otherwise. It
	// leaves out pair files that do not depend on signatures.
	resign(k Keys, old tree.Published) (signed, time.Time, error)

	// repair writes the pair files again that do not fit the pointer, and reports whether there were any.
	repair(ctx context.Context, b Bucket, k Keys, old tree.Published) (repaired bool, err error)
}

func formatOf(r catalog.Release) format {
	if r.Arch == "" {
		return format{debIndexes{}, debSignatures{}}
	}
	return format{rpmIndexes{}, rpmSignatures{}}
}

// detach makes a detached signature of body with a method of the signer, and verifies it.
func (k Keys) detach(make func(body []byte, now time.Time) ([]byte, error), body []byte, date time.Time) ([]byte, error) {
	sig, err := make(body, date)
	if err == nil {
		err = k.trusted.VerifyDetached(body, sig)
	}
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}
