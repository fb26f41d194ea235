package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/objects"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// published is what clients of everything published were given.
type published struct {
	some bool            // something is published
	all  []sign.Key      // that clients of some repository were given
	in   map[string]bool // fingerprints of those that the clients of all were
}

// firstSet makes the list of keys of a bucket that has none. Keys that the clients of everything published were given sign,
// and where nothing is published, the first key; the others are standby. But where a list was lost, a key that clients are not
// given may have been retired because it had leaked: it stays so.
func (r *Resources) firstSet(ctx context.Context, here []sign.Key) (keys.Set, error) {
	was, err := r.readPublished(ctx, here)
	if err != nil {
		return keys.Set{}, err
	}
	had, given, err := r.hadList(ctx)
	if err != nil {
		return keys.Set{}, err
	}
	signing, standby, retired := here[:1], here, []sign.Key(nil)
	if was.some {
		signing = slices.DeleteFunc(slices.Clone(here), func(k sign.Key) bool { return !was.in[k.Fingerprint] })
		standby = nil
		for _, k := range here {
			if known := was.has(k) || strings.Contains(given, k.Fingerprint); known || !had {
				standby = append(standby, k)
			} else {
				retired = append(retired, k)
			}
		}
		standby = append(standby, was.all...) // which other workers may have
	}
	set, err := ChangeKeys(ctx, r.Bucket, r.Catalog, func(s *keys.Set) error {
		if s.Revision > 0 {
			return nil
		}
		now := time.Now().UTC()
		s.Add(now, keys.Signing, signing...)
		s.Add(now, keys.Standby, standby...)
		s.Add(now, keys.Retired, retired...)
		return nil
	})
	if err == nil {
		r.logFirst(set, was.some)
	}
	return set, err
}

func (p published) has(k sign.Key) bool {
	return slices.ContainsFunc(p.all, func(o sign.Key) bool { return o.Fingerprint == k.Fingerprint })
}

// readPublished reads which keys clients were given. It returns a [BadKey] if the clients of a repository were given none of
// those that are here.
func (r *Resources) readPublished(ctx context.Context, here []sign.Key) (p published, err error) {
	declared, err := tree.Repositories(ctx, r.Bucket)
	if err != nil {
		return p, fmt.Errorf("--bucket: %w", err)
	}
	p.in = map[string]bool{}
	for _, k := range here {
		p.in[k.Fingerprint] = true
	}
	for _, repository := range declared {
		given, err := publishedKeys(ctx, r.Bucket, repository)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return p, fmt.Errorf("--bucket: the keys of %s: %w", repository, err)
		}
		p.some = true
		for f := range p.in {
			if !slices.ContainsFunc(given, func(k sign.Key) bool { return k.Fingerprint == f }) {
				delete(p.in, f)
			}
		}
		for _, k := range given {
			if !p.has(k) {
				p.all = append(p.all, k)
			}
		}
		if len(p.in) == 0 {
			return p, r.stranger(here, repository.String(), errors.New("it signed nothing of theirs"))
		}
	}
	return p, nil
}

// publishedKeys returns the keys that clients of a repository were given, or fs.ErrNotExist.
func publishedKeys(ctx context.Context, bucket objects.Bucket, repository catalog.Repository) ([]sign.Key, error) {
	body, _, err := bucket.Get(ctx, layout.GPGKeyKey(repository))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	armored, err := io.ReadAll(io.LimitReader(body, maxKeyring))
	if err != nil {
		return nil, err
	}
	return sign.ReadPublic(armored)
}
