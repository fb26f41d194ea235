package tree

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Published is what clients see of a release, as it was before the release's rows were read. A later write on condition of
// these versions cannot undo what was written in between.
type Published struct {
	Pointer
	Release  catalog.Release
	Exists   bool
	Body     []byte                    // of the pointer
	Now      time.Time                 // the store's clock
	Asked    time.Time                 // by this machine's clock, just before the pointer was read
	Answered time.Time                 // and just after it
	Modified time.Time                 // of the pointer, by the store's clock
	Versions map[string]layout.Version // of the pointer and all files that may be swapped with it
	Settings Declared                  // of the repository
}

// Read reads what is published of a release. The pair files come before the pointer: if another
// publish runs at the same time, they are seen too old rather than too new, and no write on condition of
// what was seen can succeed. The plain-named indexes, which only the pointer names, come after it but
// before the rows: a caller that sees one newer than the pointer will see newer rows as well. clock is this machine's.
func Read(ctx context.Context, b Reader, clock func() time.Time, r catalog.Release) (Published, error) {
	old := Published{Release: r, Versions: map[string]layout.Version{}}
	var err error
	if old.Settings, err = ReadSettings(ctx, b, r.Repository); err != nil {
		return old, err
	}
	if err := readVersions(ctx, b, old, pointerFormatOf(r).pairKeys(r)); err != nil {
		return old, err
	}
	key := layout.PointerKey(r)
	old.Asked = clock()
	body, meta, err := ReadSmall(ctx, b, key)
	if err != nil {
		return old, err
	}
	old.Answered = clock()
	old.Exists, old.Body, old.Now, old.Modified, old.Versions[key] = meta.Version != "", body, meta.Now, meta.Modified, meta.Version
	if !old.Exists {
		return old, nil
	}
	if old.Pointer, err = ParsePointer(r, body); err != nil {
		return old, fmt.Errorf("%s: %w", key, err)
	}
	return old, readVersions(ctx, b, old, old.Plain)
}

func readVersions(ctx context.Context, b Reader, old Published, keys []string) error {
	for _, key := range keys {
		v, err := VersionOf(ctx, b, key)
		if err != nil {
			return err
		}
		old.Versions[key] = v
	}
	return nil
}
