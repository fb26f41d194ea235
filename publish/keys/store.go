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

// A Bucket holds the set. Its methods have the contracts of those of a published bucket.
type Bucket interface {
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)
}

// maxSize bounds the object of the set, in bytes: it has room for some thousand keys.
const maxSize = 8 << 20

// Read returns the set of a bucket. If the bucket has none, the set is empty and its revision 0.
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
	maxTries = 20 // of a change while other processes change the set, too
	maxPause = 20 * time.Millisecond
)

// Change applies change to the set of a bucket, writes it with the next revision, and returns it. If another process writes
// at the same time, Change reads again and calls change again, up to maxTries times; then the error is [layout.ErrConflict].
// Nothing is written if change returns an error or leaves the set as it was.
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
