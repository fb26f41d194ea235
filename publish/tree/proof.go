package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// ErrUnproven says that a pointer has no signature, and that no manifest proves that this instance signed it.
var ErrUnproven = errors.New("it was never signed here, or that cannot be proven")

// CheckProof verifies that a pointer without its signature was signed by one of keys, by the signature in its manifest. Its
// presence in the bucket alone is not a reason to sign it. A publish writes the manifest before the pointer, so one that
// was interrupted has left it. Without proof the error is [ErrUnproven], also for a manifest of an older version, which has
// no signature. If a pair file has changed since old was read, the error is [layout.ErrConflict].
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
