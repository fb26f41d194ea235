package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish"
	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// CheckFormat returns a [*tree.NewerFormat] if a later version of the program has written to the bucket: this one must write nothing
// more, for it might remove what it does not know. The first worker of a bucket writes the format down.
func (r *Resources) CheckFormat(ctx context.Context) error {
	written, err := tree.CheckFormat(ctx, r.Bucket)
	if err != nil || written {
		return err
	}
	body, err := json.Marshal(tree.BucketFormat{Format: tree.Format})
	if err != nil {
		return err
	}
	_, err = r.Bucket.Swap(ctx, "", layout.ObjectOf(layout.FormatKey), bytes.NewReader(append(body, '\n')))
	if errors.Is(err, publish.ErrConflict) { // another worker was faster
		_, err = tree.CheckFormat(ctx, r.Bucket)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", layout.FormatKey, err)
	}
	return nil
}
