package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repomill/publish/keys"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// ChangeKeys lets change have its way with the list of keys in a bucket, as [keys.Change] does, and keeps a copy of it in the
// catalog: which keys have leaked is known nowhere else. Its audit log has who changed it.
func ChangeKeys(ctx context.Context, bucket keys.Bucket, db *catalogdb.DB, change func(*keys.Set) error) (keys.Set, error) {
	before := int64(-1)
	set, err := keys.Change(ctx, bucket, func(set *keys.Set) error {
		before = set.Revision
		return change(set)
	})
	if err != nil {
		return set, err
	}
	if set.Revision == before {
		ctx = withoutActor(ctx)
	}
	return set, remember(ctx, db, set)
}

// withoutActor returns the context of what a process does by itself, for any command.
func withoutActor(ctx context.Context) context.Context {
	return catalog.WithActor(ctx, catalog.Actor{})
}

func remember(ctx context.Context, db *catalogdb.DB, set keys.Set) error {
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return db.SaveKeyList(ctx, set.Revision, text)
}

// remembered returns the copy of the list of keys in the catalog, if it is later than the list itself: the bucket has lost
// that, or was set back. Otherwise it has no revision.
func remembered(ctx context.Context, db *catalogdb.DB, set keys.Set) (keys.Set, error) {
	revision, text, err := db.SavedKeyList(ctx)
	if err != nil || revision <= set.Revision {
		return keys.Set{}, err
	}
	var kept keys.Set
	if err := json.Unmarshal(text, &kept); err != nil {
		return keys.Set{}, fmt.Errorf("the copy of the list of keys in the catalog: %w", err)
	}
	if len(kept.With(keys.Signing)) == 0 { // of no use; a worker of an earlier version kept any
		return keys.Set{}, nil
	}
	return kept, kept.Check()
}

// errLostKeys says that the bucket has not the list of keys that the catalog knows of.
func errLostKeys(have, kept keys.Set) error {
	what := "has lost its list of keys"
	if have.Revision > 0 {
		what = fmt.Sprintf("has an old list of keys, of revision %d and not %d", have.Revision, kept.Revision)
	}
	return fmt.Errorf("the bucket %s (%s): a worker that runs, or starts, puts back what the catalog knows of it", what, layout.KeysKey)
}

// readSet returns the list of keys of the bucket. If the bucket has lost it, or was set back, the copy in the catalog is put
// there; without any, it has no revision.
func (r *Resources) readSet(ctx context.Context) (keys.Set, error) {
	ctx = withoutActor(ctx)
	set, err := keys.Read(ctx, r.Bucket)
	if err != nil {
		return set, err
	}
	kept, err := remembered(ctx, r.Catalog, set)
	if err != nil {
		return set, err
	}
	if kept.Revision == 0 {
		if last, _ := r.Keys(); set.Revision > 0 && last.Revision != set.Revision {
			err = remember(ctx, r.Catalog, set)
		}
		return set, err
	}
	restored := false
	set, err = ChangeKeys(ctx, r.Bucket, r.Catalog, func(s *keys.Set) error {
		if restored = s.Revision < kept.Revision; restored {
			*s = keys.Set{Revision: kept.Revision, Keys: append(slices.Clone(kept.Keys), strangers(s.Keys, kept.Keys)...)}
		}
		return nil
	})
	if err == nil && restored {
		r.Log.Error("ALARM: the bucket had lost its list of signing keys, or had an old one: it is put back from the catalog's copy",
			"object", layout.KeysKey, "revision", set.Revision, "signing", names(set, keys.Signing), "standby", names(set, keys.Standby), "retired", names(set, keys.Retired))
	}
	return set, err
}

func names(set keys.Set, role keys.Role) string {
	return strings.Join(keys.Fingerprints(set.With(role)), " ")
}

// hadList reports whether the catalog remembers that there was a list of keys, and which keys clients are given, as far as it
// knows.
func (r *Resources) hadList(ctx context.Context) (had bool, given string, err error) {
	all, err := r.Catalog.GivenKeys(ctx)
	given = strings.Join(all, "+")
	return strings.Trim(given, "+") != "", given, err
}

// errNoSet says that the bucket has no list of keys: [Resources.CheckKey] makes it.
var errNoSet = errors.New("neither the bucket nor the catalog has a list of signing keys any more: start the worker again, which makes it from what clients were given")

// logFirst says what a new list of keys has.
func (r *Resources) logFirst(set keys.Set, published bool) {
	args := []any{"object", layout.KeysKey, "signing", names(set, keys.Signing), "standby", names(set, keys.Standby)}
	if !published {
		r.Log.Info("list of signing keys made", args...)
		return
	}
	r.Log.Warn("ALARM: the bucket has packages, and no list of its signing keys: a new one is made from what clients were given. Which keys have leaked is not known any more: see repomill key list, and repomill key retire --leaked",
		append(args, "retired", names(set, keys.Retired))...)
}

// strangers returns the keys of a list that another list does not have.
func strangers(all, known []keys.Key) []keys.Key {
	return slices.DeleteFunc(slices.Clone(all), func(k keys.Key) bool { return slices.Contains(keys.Fingerprints(known), k.Fingerprint) })
}
