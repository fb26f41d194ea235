package publish

import (
	"context"

	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// drawOver has a pointer replaced that is not proven, by what the catalog has. The error is [errRepaired] then.
func (p *Publisher) drawOver(ctx context.Context, old tree.Published) error {
	if err := p.raiseGeneration(ctx, old.Release, old.Revision, old, &mode{}); err != nil {
		return err
	}
	p.log.Error("ALARM: what is published has no signature, and nothing proves that it was made here: it is not signed, and is replaced by what the catalog has",
		"pointer", layout.PointerKey(old.Release), "revision", old.Revision.String())
	return errRepaired
}
