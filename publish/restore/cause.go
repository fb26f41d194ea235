package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// A damage is the error of an object that is missing or damaged. It wraps no error of what read it: those of text that ends early look like
// those of a connection, and who gets one of these reads again.
type damage struct {
	text    string
	missing bool
}

func (d *damage) Error() string { return d.text }

// Is reports whether target is [fs.ErrNotExist], and the object is missing.
func (d *damage) Is(target error) bool { return d.missing && target == fs.ErrNotExist }

// cause returns the error of rows that cannot be read back: if an object is missing or damaged that the release names, one that names
// it and says what to do, and else err. Parsers meet damaged bytes before the digest is known, and say what is wrong with the text. The error
// of a connection, whose objects are as they should be, stays what it is: the caller may read again.
func (rd *Release) cause(ctx context.Context, err error) error {
	for _, o := range rd.objects(ctx) {
		problem, failed := tree.ProblemOf(ctx, rd.bucket, o)
		if failed != nil {
			return err
		}
		if problem != "" {
			text := fmt.Sprintf("%s, which %s or its manifest names, %s: repomill reindex %s --repair writes it again if the catalog has the packages; else put it back from a copy of the bucket",
				o.Key, layout.PointerKey(rd.release), problem, rd.release)
			return &damage{text, errors.Is(err, fs.ErrNotExist)}
		}
	}
	return err
}

// objects returns what rows are read from: the indexes, what names the chunks of the list of withdrawn packages and, if that can be read, the
// chunks.
func (rd *Release) objects(ctx context.Context) (all []tree.Object) {
	for _, x := range rd.Indexes {
		all = append(all, x.Packed)
	}
	m, err := tree.ReadManifest(ctx, rd.bucket, rd.release, rd.manifest)
	if err != nil {
		return all
	}
	if m.Withdrawn != nil {
		all = append(all, *m.Withdrawn)
	}
	l, err := tree.ReadWithdrawnList(ctx, rd.bucket, rd.release, m)
	if err != nil {
		return all
	}
	for _, c := range l.Chunks {
		all = append(all, c.Object)
	}
	return all
}
