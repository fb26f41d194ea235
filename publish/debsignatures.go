package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"repomill/publish/apt"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// debSignatures signs a codename: InRelease and, after it, Release.gpg, Release and the indexes with plain names, for clients without
// by-hash.
type debSignatures struct{}

// pause keeps swaps a full second of the store's clock apart: apt sends If-Modified-Since, which has a resolution of one second, and
// would miss a second publish in the same second.
func (debSignatures) pause(old tree.Published) time.Duration {
	if !old.Exists {
		return 0
	}
	return min(old.Modified.Add(time.Second).Sub(old.Now), time.Second)
}

// inseparable is false: apt reads Release and Release.gpg only if InRelease is absent, and indexes by plain names only if it does not
// support by-hash.
func (debSignatures) inseparable() bool { return false }

func (debSignatures) sign(k Keys, d unsignedRelease, date time.Time) (signed, error) {
	s, err := signRelease(k, d.release, d.pointer, date)
	if err != nil {
		return signed{}, err
	}
	for _, x := range d.indexes {
		s.after = append(s.after, pairFile{key: x.plain, index: x.index, immutable: x.key})
	}
	return s, nil
}

// signRelease makes InRelease, Release.gpg and Release of a text.
func signRelease(k Keys, r catalog.Release, text []byte, date time.Time) (signed, error) {
	inRelease, err := k.signer.Clear(text, date)
	if err != nil {
		return signed{}, fmt.Errorf("sign InRelease: %w", err)
	}
	covered, err := k.trusted.VerifyClear(inRelease)
	if err != nil {
		return signed{}, fmt.Errorf("verify InRelease: %w", err)
	}
	if !bytes.Equal(covered, text) {
		return signed{}, errors.New("verify InRelease: the signature covers another text")
	}
	detached, err := k.detach(k.signer.Detach, text, date)
	if err != nil {
		return signed{}, err
	}
	dir := layout.DebDir(r)
	return signed{pointer: inRelease, after: []pairFile{{key: dir + "/Release.gpg", body: detached}, {key: dir + "/Release", body: text}}}, nil
}

func (debSignatures) signedBy(_ context.Context, _ tree.Reader, k Keys, old tree.Published) (string, error) {
	if _, err := k.trusted.SignersClear(old.Body); err != nil {
		return "", fmt.Errorf("%w: InRelease %w", tree.ErrForeign, err)
	}
	signers, err := k.known.SignersClear(old.Body)
	if err != nil {
		return "", nil //nolint:nilerr // a bad signature by a leaked key is replaced, too
	}
	return signedBy(signers, nil), nil
}

// resign sets a later Date, because apt ignores a Release file that is not newer.
func (debSignatures) resign(k Keys, old tree.Published) (signed, time.Time, error) {
	text, err := tree.ClearText(old.Body)
	date := nextDate(old)
	if err == nil {
		text, err = apt.Redate(text, date)
	}
	if err != nil {
		return signed{}, date, err
	}
	s, err := signRelease(k, old.Release, text, date)
	return s, date, err
}

// repair rewrites the pair files that do not fit InRelease. It signs only texts with a valid signature of this instance.
func (debSignatures) repair(ctx context.Context, b Bucket, k Keys, old tree.Published) (repaired bool, err error) {
	text, err := k.trusted.VerifyClear(old.Body)
	if err != nil {
		return false, fmt.Errorf("verify %s: %w", layout.PointerKey(old.Release), err)
	}
	rel, err := apt.Parse(text)
	if err != nil {
		return false, err
	}
	torn, err := tornPairs(ctx, b, k, old, text)
	if err != nil {
		return false, err
	}
	for _, o := range torn {
		if _, err := swapPair(ctx, b, old, o); err != nil {
			return false, err
		}
	}
	repaired = len(torn) > 0
	for _, f := range rel.Files {
		if strings.HasSuffix(f.Path, ".gz") {
			again, err := repairIndex(ctx, b, old, path.Join(layout.DebDir(old.Release), f.Path), f.SHA256)
			if err != nil {
				return false, err
			}
			repaired = repaired || again
		}
	}
	return repaired, nil
}

// tornPairs returns the new Release.gpg and Release, if the present ones do not fit text.
func tornPairs(ctx context.Context, b Bucket, k Keys, old tree.Published, text []byte) (torn []pairFile, err error) {
	dir := layout.DebDir(old.Release)
	sig, _, err := tree.ReadSmall(ctx, b, dir+"/Release.gpg")
	if err != nil {
		return nil, err
	}
	if k.trusted.VerifyDetached(text, sig) != nil {
		if sig, err = k.detach(k.signer.Detach, text, k.signTime(old)); err != nil {
			return nil, err
		}
		torn = append(torn, pairFile{key: dir + "/Release.gpg", body: sig})
	}
	plain, _, err := tree.ReadSmall(ctx, b, dir+"/Release")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(plain, text) {
		torn = append(torn, pairFile{key: dir + "/Release", body: text})
	}
	return torn, nil
}

// repairIndex replaces an index with a plain name by its by-hash copy, if the two differ.
func repairIndex(ctx context.Context, b Bucket, old tree.Published, plain, sha256 string) (repaired bool, err error) {
	sum, err := tree.SumOf(ctx, b, plain)
	if err != nil || sum == sha256 {
		return false, err
	}
	body, _, err := b.Get(ctx, layout.ByHashKey(plain, sha256))
	if err != nil {
		return false, err
	}
	defer body.Close()
	_, err = b.Swap(ctx, old.Versions[plain], layout.ObjectOf(plain), body)
	return err == nil, err
}
