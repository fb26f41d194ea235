package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// ErrUnproven says that a pointer has no signature, and nothing proves that it ever had one of ours.
var ErrUnproven = errors.New("it was never signed here, or that cannot be proven")

// CheckProof makes sure that a pointer without its signature is one that was signed here, by the signature in its manifest:
// that it lies in the bucket is no reason to sign it. Manifests are written before the pointer that they are of, so
// a publish that died has left one. The error is [ErrUnproven] otherwise; for want of a signature alone, as in a manifest of an
// older version, too.
func CheckProof(ctx context.Context, b Reader, keys sign.Keyring, old Published) error {
	body, _, err := ReadSmall(ctx, b, ManifestKey(old.Release, old.Revision, Sum(old.Body)))
	if err != nil {
		return err
	}
	var m Manifest
	if err = json.Unmarshal(body, &m); err == nil { // else there is none, or it is damaged
		err = keys.VerifyDetached(old.Body, []byte(m.Signature))
	}
	if err == nil {
		return nil
	}
	for key, was := range old.Versions { // the signature was read after the pointer, and may be that of a newer one
		if v, err := VersionOf(ctx, b, key); err != nil || v != was {
			return errors.Join(err, fmt.Errorf("%s: %w", key, layout.ErrConflict))
		}
	}
	return fmt.Errorf("%s: %w: %w", layout.PointerKey(old.Release), ErrUnproven, err)
}
