package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"repomill/schemas/layout"
)

// A Bucket is where the set lies. Its methods are those of a published bucket.
type Bucket interface {
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
}

// maxSize bounds what is read, in bytes: some thousand keys.
const maxSize = 8 << 20

// Read returns the set of a bucket; without a revision, if it has none yet.
func Read(ctx context.Context, b Bucket) (Set, error) {
	s, _, err := read(ctx, b)
	return s, err
}

func read(ctx context.Context, b Bucket) (s Set, v layout.Version, err error) {
	body, meta, err := b.Get(ctx, layout.KeysKey)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, "", nil
	}
	if err != nil {
		return Set{}, "", fmt.Errorf("read %s: %w", layout.KeysKey, err)
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxSize))
	if err == nil {
		if err = json.Unmarshal(text, &s); err != nil {
			err = fmt.Errorf("it is no list of keys (%w): restore an earlier version of it, or remove it: a worker puts back what the catalog knows of it", err)
		}
	}
	if err == nil {
		err = s.Check()
	}
	if err == nil && s.Revision > 0 && len(s.With(Signing)) == 0 {
		err = errors.New("none of its keys signs: restore an earlier version of it, or remove it: a worker puts back what the catalog knows of it")
	}
	if err != nil {
		return Set{}, "", fmt.Errorf("read %s: %w", layout.KeysKey, err)
	}
	return s, meta.Version, nil
}

const (
	maxTries = 20 // at a change that others are faster with
	maxPause = 20 * time.Millisecond
)

// Change lets change have its way with the set of a bucket, and returns it as it is then. change may be called several
// times, each time with the set as it is; that it leaves the set as it was, or returns an error, writes nothing.
func Change(ctx context.Context, b Bucket, change func(*Set) error) (Set, error) {
	for n := 1; ; n++ {
		s, err := changeOnce(ctx, b, change)
		if !errors.Is(err, layout.ErrConflict) || n == maxTries {
			return s, err
		}
		select {
		case <-ctx.Done():
			return Set{}, ctx.Err()
		case <-time.After(rand.N(time.Duration(n) * maxPause)):
		}
	}
}

func changeOnce(ctx context.Context, b Bucket, change func(*Set) error) (Set, error) {
	old, version, err := read(ctx, b)
	if err != nil {
		return Set{}, err
	}
	before, err := json.Marshal(old)
	if err != nil {
		return Set{}, err
	}
	s := old
	if err := change(&s); err != nil {
		return old, err
	}
	if after, err := json.Marshal(s); err != nil || bytes.Equal(before, after) {
		return s, err
	}
	s.Revision++
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Set{}, err
	}
	if _, err := b.Swap(ctx, version, layout.ObjectOf(layout.KeysKey), bytes.NewReader(append(body, '\n'))); err != nil {
		return Set{}, fmt.Errorf("write %s: %w", layout.KeysKey, err)
	}
	return s, nil
}
