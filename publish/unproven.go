package publish

import (
	"context"

	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// replaceUnproven raises the generation of a release whose pointer no key of this instance is known to have signed, so that the
// next attempt replaces the pointer. It returns [errRepaired] then.
func (p *Publisher) replaceUnproven(ctx context.Context, old tree.Published) error {
	if err := p.raiseGeneration(ctx, old.Release, old.Revision, old, &options{}); err != nil {
		return err
	}
	p.log.Error("ALARM: published pointer without a signature and without proof of its origin: it is replaced from the catalog",
		"pointer", layout.PointerKey(old.Release), "revision", old.Revision.String())
	return errRepaired
}
