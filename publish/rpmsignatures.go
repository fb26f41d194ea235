package publish

import (
	"context"
	"fmt"
	"time"

	"repomill/publish/repomd"
	"repomill/publish/tree"
)

// rpmSignatures signs an architecture directory: it writes repomd.xml.asc, and then repomd.xml.
type rpmSignatures struct{}

// maxLead is how far the date of a release may be ahead of the clock. The next publish waits if it is more.
const maxLead = 2 * time.Second

// pause lets the clock catch up with the date, which rises by at least a second with each publish. There is no other reason to wait:
// dnf and zypper compare the bytes of repomd.xml, not its time.
func (rpmSignatures) pause(old tree.Published) time.Duration {
	return min(old.Date.Add(-maxLead).Sub(old.Now), time.Second)
}

// inseparable is true: clients refuse a repomd.xml with the signature of another one.
func (rpmSignatures) inseparable() bool { return true }

func (rpmSignatures) sign(k Keys, d unsignedRelease, date time.Time) (signed, error) {
	asc, err := k.detach(k.signer.DetachRPM, d.pointer, date)
	if err != nil {
		return signed{}, err
	}
	return signed{pointer: d.pointer, before: []pairFile{{key: tree.SignatureKey(d.release), body: asc}}}, nil
}

func (rpmSignatures) signedBy(ctx context.Context, b tree.Reader, k Keys, old tree.Published) (string, error) {
	asc, _, err := tree.ReadSmall(ctx, b, tree.SignatureKey(old.Release))
	if err != nil {
		return "", err
	}
	if _, err := k.trusted.SignersDetached(old.Body, asc); err != nil {
		return "", fmt.Errorf("%w: repomd.xml.asc: %w", tree.ErrForeign, err)
	}
	signers, err := k.known.SignersDetached(old.Body, asc)
	if err != nil {
		return "", nil //nolint:nilerr // a bad signature by a leaked key is replaced, too
	}
	md, err := repomd.Parse(old.Body)
	return signedBy(signers, md.Hints), err
}

// resign keeps repomd.xml unless its key hints change: after a change of its revision or times, dnf would download all indexes again.
func (rpmSignatures) resign(k Keys, old tree.Published) (signed, time.Time, error) {
	md, err := repomd.Parse(old.Body)
	if err != nil {
		return signed{}, old.Date, err
	}
	md.Hints = k.hints()
	body := md.Render()
	asc, err := k.detach(k.signer.DetachRPM, body, old.Now)
	if err != nil {
		return signed{}, old.Date, err
	}
	return signed{pointer: body, before: []pairFile{{key: tree.SignatureKey(old.Release), body: asc}}}, old.Date, nil
}

// repair signs the present repomd.xml again if its signature is missing or invalid. It signs only a repomd.xml with proof that this
// instance has signed it before: see [tree.CheckProof].
func (rpmSignatures) repair(ctx context.Context, b Bucket, k Keys, old tree.Published) (repaired bool, err error) {
	asc, _, err := tree.ReadSmall(ctx, b, tree.SignatureKey(old.Release))
	if err != nil || k.trusted.VerifyDetached(old.Body, asc) == nil {
		return false, err
	}
	if err := tree.CheckProof(ctx, b, k.trusted, old); err != nil {
		return false, err
	}
	if asc, err = k.detach(k.signer.DetachRPM, old.Body, k.signTime(old)); err != nil {
		return false, err
	}
	_, err = swapPair(ctx, b, old, pairFile{key: tree.SignatureKey(old.Release), body: asc})
	return err == nil, err
}
