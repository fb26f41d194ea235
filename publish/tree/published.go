package tree

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Published is the state of a release in the bucket, read before the release's rows. A write on condition of these versions
// fails if another process has written in between.
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

// Read reads the state of a release. The pair files are read before the pointer: if another publish runs at
// the same time, they are seen too old rather than too new, and a write on condition of their versions fails. The
// plain-named indexes, which only the pointer names, are read after it and before the rows: a caller that sees one newer
// than the pointer sees newer rows, too. clock returns this machine's time.
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
		return old, fmt.Errorf("%s: %w: put it back from a copy of the bucket", key, err)
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
