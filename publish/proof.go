package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/schemas/layout"
)

// proven makes sure that a pointer without its signature is one that was signed here, by the signature in its manifest: what
// others put into the bucket is not signed because it lies there. Manifests are written before the pointer that they are of, so
// a publish that died has left one. The error is [errUnproven] otherwise; for want of a signature alone, as in a manifest of an
// older version, too.
func (p *Publisher) proven(ctx context.Context, old published) error {
	body, _, err := readSmall(ctx, p.bucket, manifestKey(old.release, old.revision, hexSum(old.body)))
	if err != nil {
		return err
	}
	var m Manifest
	if err = json.Unmarshal(body, &m); err == nil { // else there is none, or it is damaged
		err = p.keys.Load().trusted.VerifyDetached(old.body, []byte(m.Signature))
	}
	if err == nil {
		return nil
	}
	for key, was := range old.versions { // the signature was read after the pointer, and may be that of a newer one
		if v, err := versionOf(ctx, p.bucket, key); err != nil || v != was {
			return errors.Join(err, fmt.Errorf("%s: %w", key, ErrConflict))
		}
	}
	return fmt.Errorf("%s: %w: %w", layout.PointerKey(old.release), errUnproven, err)
}

// drawOver has a pointer replaced that is not proven, by what the catalog has. The error is [errRepaired] then.
func (p *Publisher) drawOver(ctx context.Context, old published) error {
	if err := p.redraw(ctx, old.release, old.revision, old, &mode{}); err != nil {
		return err
	}
	p.log.Error("ALARM: what is published has no signature, and nothing proves that it was made here: it is not signed, and is replaced by what the catalog has",
		"pointer", layout.PointerKey(old.release), "revision", old.revision.String())
	return errRepaired
}
