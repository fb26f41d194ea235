package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"repomill/schemas/catalog"
)

// RejectedBefore returns the rejection that the verdict object of an upload has, if it is of the same generation and protects a name; nil if
// there is none. A catalog that was lost may have rejected the upload: its rejection is final still. What was rejected for another reason is
// judged by its bytes and today's settings.
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
	if json.Unmarshal(body, &v) != nil || v.Generation != u.Generation || v.State != catalog.Rejected || !staysRejected(v.Reason) {
		return nil, nil
	}
	return &catalog.Rejection{Reason: v.Reason, Detail: v.Detail}, nil
}

// staysRejected reports whether a reason is about the name of a package, which another had.
func staysRejected(reason catalog.Reason) bool {
	switch reason {
	case catalog.Conflict, catalog.YankedIdentity, catalog.ReservedIdentity, catalog.TrainPublished, catalog.TrainEmbargo, catalog.DroppedFromTrain, catalog.Late:
		return true
	}
	return false
}
