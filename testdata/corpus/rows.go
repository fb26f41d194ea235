package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Seed makes a data folder of repomill up that has rows, and an object for each of them, without any
// upload: what ingest would have left, at a tenth of its cost, before the first publish. rows are
// package 0 and on of a release, as [Corpus.DebRows], [Corpus.RPMRows] and [Corpus.BigRows] have them.
// It may be called for several releases of one folder.
//
// The objects are links of a few files, so that only their sizes are those of their rows.
func Seed(t testing.TB, data string, r catalog.Release, rows Rows) {
	t.Helper()
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := catalogdb.Open("sqlite://" + filepath.Join(data, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := seed(t.Context(), db, &links{bucket: filepath.Join(data, "bucket"), body: rows.file}, r, rows); err != nil {
		t.Fatalf("seed %s: %v", r, err)
	}
}

// Rows are rows that are made while they are read.
type Rows struct {
	N    int // how many
	row  func(catalog.Release, int) (catalog.Package, error)
	file []byte // stands for all of their objects
}

// chunk is the number of rows of one transaction.
const chunk = 20_000

// seed writes rows as if they were found published, which is the one way in that asks for no upload.
func seed(ctx context.Context, db *catalogdb.DB, objects *links, r catalog.Release, rows Rows) error {
	distro, rej := layout.DefaultTable().Lookup(r.Distribution)
	if rej != nil {
		return rej
	}
	component := ""
	if distro.Format == catalog.DEB {
		component = layout.DefaultComponent
	}
	if _, err := db.Declare(ctx, catalogdb.Declaration{Repository: r.Repository, Distro: distro, Component: component}, epoch); err != nil {
		return err
	}
	for from := 0; from < rows.N; from += chunk {
		pair := catalog.Revision{Number: int64(from/chunk + 1), Nonce: fmt.Sprintf("%016x", from)}
		if _, err := db.Recover(ctx, r, rows.from(r, from, min(from+chunk, rows.N), objects), pair, epoch); err != nil {
			return err
		}
	}
	return nil
}

// from returns the rows [from, to), each of which has its object when it is read.
func (rs Rows) from(r catalog.Release, from, to int, objects *links) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for i := from; i < to; i++ {
			k, err := rs.row(r, i)
			if err == nil {
				err = objects.make(k.Key)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// links makes objects that are links of few files.
type links struct {
	bucket   string
	body     []byte // of all objects
	original string // the file that is linked now
	left     int    // links that it may still get
}

// maxLinks is the number of names that one file gets; file systems allow some 65,000.
const maxLinks = 30_000

// make makes the object under a key, if it is not there.
func (l *links) make(key string) error {
	file := filepath.Join(l.bucket, key)
	if l.left == 0 {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		l.original, l.left = file, maxLinks
		return os.WriteFile(file, l.body, 0o644)
	}
	l.left--
	err := os.Link(l.original, file)
	if errors.Is(err, fs.ErrNotExist) { // its folder does not
		if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
			err = os.Link(l.original, file)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// place sets what the repository knows of a row. All rows have the size of one file, but each a digest of
// its own, so that indexes compress as real ones do.
func place(k *catalog.Package, r catalog.Release, size int) {
	k.Repository, k.Distribution, k.State, k.Uploaded = r.Repository, r.Distribution, catalog.Active, epoch
	sum := sha256.Sum256([]byte(k.Name + " " + k.Version + " " + k.Arch))
	k.File = catalog.File{Size: int64(size), SHA256: hex.EncodeToString(sum[:])}
}

// DebRows returns the rows of the packages 0 to n-1 of a DEB release: those that ingest makes of [Corpus.Deb],
// but for size and digests.
func (c Corpus) DebRows(n int) Rows {
	_, file := c.Deb(0)
	return Rows{N: n, file: file, row: func(r catalog.Release, i int) (catalog.Package, error) {
		p, err := deb.Peek(bytes.NewReader(c.control(i).head()))
		if err != nil {
			return catalog.Package{}, err
		}
		k := p.Identity()
		place(&k, r, len(file))
		k.Component, k.File.MD5 = layout.DefaultComponent, k.File.SHA256[:32]
		k.Key = layout.PoolKey(k)
		return k, p.Describe(&k)
	}}
}
