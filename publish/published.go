package publish

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A published release is what clients see of it, as it was before its rows were read. Whoever writes
// later on condition of these versions cannot undo what was written in between.
type published struct {
	pointer
	release  catalog.Release
	exists   bool
	body     []byte                    // of the pointer
	now      time.Time                 // the store's clock
	asked    time.Time                 // by this machine's clock: before the store had the pointer to read,
	answered time.Time                 // and after that
	modified time.Time                 // of the pointer, by the store's clock
	versions map[string]layout.Version // of the pointer and all files that may be swapped with it
	settings declared                  // of the repository
}

// readPublished reads what is published of a release. The pair files come before the pointer: if another
// publish goes on meanwhile, they are seen too old rather than too new, and no write on condition of
// what was seen can succeed. The plain-named indexes, which only the pointer names, come after it but
// before the rows: whoever sees one that is newer than the pointer will see newer rows as well.
func readPublished(ctx context.Context, b Reader, clock func() time.Time, r catalog.Release) (published, error) {
	old := published{release: r, versions: map[string]layout.Version{}}
	var err error
	if old.settings, err = readSettings(ctx, b, r.Repository); err != nil {
		return old, err
	}
	if err := readVersions(ctx, b, old, pointerFormatOf(r).pairKeys(r)); err != nil {
		return old, err
	}
	key := layout.PointerKey(r)
	old.asked = clock()
	body, meta, err := readSmall(ctx, b, key)
	if err != nil {
		return old, err
	}
	old.answered = clock()
	old.exists, old.body, old.now, old.modified, old.versions[key] = meta.Version != "", body, meta.Now, meta.Modified, meta.Version
	if !old.exists {
		return old, nil
	}
	if old.pointer, err = parsePointer(r, body); err != nil {
		return old, fmt.Errorf("%s: %w", key, err)
	}
	return old, readVersions(ctx, b, old, old.plain)
}

func readVersions(ctx context.Context, b Reader, old published, keys []string) error {
	for _, key := range keys {
		v, err := versionOf(ctx, b, key)
		if err != nil {
			return err
		}
		old.versions[key] = v
	}
	return nil
}
