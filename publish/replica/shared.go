package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"repomill/publish/check"
	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// Shared is the name under which a report has what all repositories share: the list of keys, the format of the bucket, and the
// public keys.
const Shared = "all repositories"

// shared checks what all repositories share.
func (c *checker) shared(ctx context.Context) Repository {
	res := Repository{Name: Shared, State: Whole, Age: Unknown}
	add := func(key string, err error) {
		if err != nil {
			res.State = Damaged
			res.Problems = append(res.Problems, check.Problem{Path: key, Detail: err.Error()})
		}
	}
	add(layout.InstanceKeyKey, c.checkKeys(ctx, layout.InstanceKeyKey))
	_, err := tree.CheckFormat(ctx, c.replica)
	add(layout.FormatKey, err)
	keys, meta, err := tree.ReadSmall(ctx, c.replica, layout.KeysKey)
	if err == nil && meta.Version != "" && !json.Valid(keys) {
		err = errors.New("is not JSON")
	}
	add(layout.KeysKey, err)
	if c.primary == nil {
		return res
	}
	theirs, meta, err := tree.ReadSmall(ctx, c.primary, layout.KeysKey)
	switch {
	case err != nil:
		c.fault(err)
	case bytes.Equal(keys, theirs):
		res.Age = Current
	default: // the list has a version, but only workers know what it means
		res.Age, res.Missing = Behind, &meta.Modified
	}
	return res
}
