package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"repomill/schemas/catalog"
)

// RejectedBefore returns the rejection that the verdict object of an upload has, if it is of the same generation; nil if there is none. An
// upload that the catalog does not know may have been rejected by one that was lost: its rejection is final still.
func (r *Resources) RejectedBefore(ctx context.Context, u catalog.Upload) (*catalog.Rejection, error) {
	if u.Promoted() {
		return nil, nil
	}
	body, _, err := r.Staging.Verdict(ctx, u.Object)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) { // the latter is a name which cannot have a verdict beside it
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read verdict: %w", err)
	}
	var v catalog.Verdict
	if json.Unmarshal(body, &v) != nil || v.Generation != u.Generation || v.State != catalog.Rejected || v.Reason == "" {
		return nil, nil
	}
	return &catalog.Rejection{Reason: v.Reason, Detail: v.Detail}, nil
}
