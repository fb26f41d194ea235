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
	skew     skew                      // of this machine's clock
	modified time.Time                 // of the pointer, by the store's clock
	versions map[string]layout.Version // of the pointer and all files that may be swapped with it
	settings declared                  // of the repository
}

// A pointer is what a pointer's bytes say.
type pointer struct {
	revision catalog.Revision
	date     time.Time
	indexes  []listed
	hints    []string // RPM: of keys
	plain    []string // DEB: keys of the plain-named indexes
}

// A listed index is an index as a pointer has it, under its immutable key.
type listed struct {
	name   string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	packed ManifestObject
	open   ManifestObject // its text, which has no key of its own
}

// live returns the keys of the indexes that a pointer names.
func (ptr pointer) live() map[string]bool {
	keys := map[string]bool{}
	for _, x := range ptr.indexes {
		keys[x.packed.Key] = true
	}
	return keys
}

// RevisionOf returns the revision in the bytes of a release's pointer. Signatures are not looked at.
func RevisionOf(r catalog.Release, body []byte) (catalog.Revision, error) {
	ptr, err := formatOf(r).parse(r, body)
	return ptr.revision, err
}

// read reads what is published of a release. The pair files come before the pointer: if another
// publish goes on meanwhile, they are seen too old rather than too new, and no write on condition of
// what was seen can succeed. The plain-named indexes, which only the pointer names, come after it but
// before the rows: whoever sees one that is newer than the pointer will see newer rows as well.
func (p *Publisher) read(ctx context.Context, f format, r catalog.Release) (published, error) {
	old := published{release: r, versions: map[string]layout.Version{}}
	var err error
	if old.settings, err = readSettings(ctx, p.bucket, r.Repository); err != nil {
		return old, err
	}
	if err := p.readVersions(ctx, old, f.pairKeys(r)); err != nil {
		return old, err
	}
	key := layout.PointerKey(r)
	before := p.now()
	body, meta, err := readSmall(ctx, p.bucket, key)
	if err != nil {
		return old, err
	}
	old.skew = skewOf(before, meta.Now, p.now())
	old.exists, old.body, old.now, old.modified, old.versions[key] = meta.Version != "", body, meta.Now, meta.Modified, meta.Version
	if !old.exists {
		return old, nil
	}
	if old.pointer, err = f.parse(r, body); err != nil {
		return old, fmt.Errorf("%s: %w", key, err)
	}
	return old, p.readVersions(ctx, old, old.plain)
}

func (p *Publisher) readVersions(ctx context.Context, old published, keys []string) error {
	for _, key := range keys {
		v, err := versionOf(ctx, p.bucket, key)
		if err != nil {
			return err
		}
		old.versions[key] = v
	}
	return nil
}
