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

// A format is what differs between DEB and RPM releases, besides their pointers, which package tree reads.
type format struct {
	indexer
	signatures
}

// An indexer says how the indexes of a release are made.
type indexer interface {
	// plan says which indexes a release has.
	plan(snap *catalogdb.Snapshot) (render.Plan, error)

	// pointer describes the indexes of a rendering, and hints at keys, unsigned.
	pointer(snap *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, hints []string) []byte

	// file returns where an index is stored.
	file(r catalog.Release, x *render.Index) indexFile
}

// signatures says how a pointer is signed, and what lies beside it.
type signatures interface {
	// inseparable reports whether no client takes a pointer that does not fit the files beside it.
	inseparable() bool

	// pause returns how long to wait before the next swap.
	pause(old tree.Published) time.Duration

	// sign makes the pointer's bytes and the files beside it.
	sign(k Keys, d draft, date time.Time) (signed, error)

	// signedBy verifies what is published, and returns how it is signed ([Keys.SignedBy]).
	signedBy(ctx context.Context, b tree.Reader, k Keys, old tree.Published) (string, error)

	// resign signs a pointer that was verified again, with all that it says but for its date and its hints of keys. The
	// files beside it that do not depend on signatures are left out.
	resign(k Keys, old tree.Published) (signed, time.Time, error)

	// repair writes those files beside the pointer again that do not fit it, and reports whether there
	// were any.
	repair(ctx context.Context, b Bucket, k Keys, old tree.Published) (repaired bool, err error)
}

func formatOf(r catalog.Release) format {
	if r.Arch == "" {
		return format{debIndexes{}, debSignatures{}}
	}
	return format{rpmIndexes{}, rpmSignatures{}}
}

// detach returns a detached signature of body that clients accept, made by one of the signer's methods.
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
