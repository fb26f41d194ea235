package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// errUnproven says that a pointer has no signature, and nothing proves that it ever had one of ours.
var errUnproven = errors.New("it was never signed here, or that cannot be proven")

// proven makes sure that a pointer without its signature is one that was signed here, by the signature in its manifest: what
// others put into the bucket is not signed because it lies there. Manifests are written before the pointer that they are of, so
// a publish that died has left one. The error is [errUnproven] otherwise; for want of a signature alone, as in a manifest of an
// older version, too.
func proven(ctx context.Context, b Reader, keys sign.Keyring, old published) error {
	body, _, err := readSmall(ctx, b, manifestKey(old.release, old.revision, hexSum(old.body)))
	if err != nil {
		return err
	}
	var m Manifest
	if err = json.Unmarshal(body, &m); err == nil { // else there is none, or it is damaged
		err = keys.VerifyDetached(old.body, []byte(m.Signature))
	}
	if err == nil {
		return nil
	}
	for key, was := range old.versions { // the signature was read after the pointer, and may be that of a newer one
		if v, err := versionOf(ctx, b, key); err != nil || v != was {
			return errors.Join(err, fmt.Errorf("%s: %w", key, layout.ErrConflict))
		}
	}
	return fmt.Errorf("%s: %w: %w", layout.PointerKey(old.release), errUnproven, err)
}
