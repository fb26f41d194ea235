package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Prepared release has its index files in the bucket, and no pointer yet. Workers of an engine, which have no signing key, prepare
// releases, and the process with the key publishes them. Its fields are data for a pipeline.
type Prepared struct {
	Release  string // as [catalog.Release.String] has it
	Revision int64  // of the rows
	Nonce    string
	Packages int
	Indexes  []PreparedIndex // in the order of the pointer; none if the revision is published already
}

// A PreparedIndex is an index file under its content name.
type PreparedIndex struct {
	Name       string // DEB: "main/binary-amd64/Packages". RPM: "primary"
	Size       int64  // of the file, in bytes
	SHA256     string
	OpenSize   int64 // of its text
	OpenSHA256 string
}

func preparedIndex(x *render.Index) PreparedIndex {
	return PreparedIndex{Name: x.Name, Size: x.Packed.Size, SHA256: x.Packed.SHA256, OpenSize: x.Plain.Size, OpenSHA256: x.Plain.SHA256}
}

// file returns the description of the index for package render.
func (x PreparedIndex) file() render.File {
	return render.File{Name: x.Name, Packed: render.Digest{Size: x.Size, SHA256: x.SHA256}, Plain: render.Digest{Size: x.OpenSize, SHA256: x.OpenSHA256}}
}

// Prepare renders a release and stores its index files, but no pointer. It needs no signing key. A repeat writes the same files, and
// the caller retries errors. Concurrent calls for one release wait for each other.
func (p *Preparer) Prepare(ctx context.Context, r catalog.Release) (Prepared, error) {
	unlock, err := p.lock(ctx, r)
	if err != nil {
		return Prepared{}, err
	}
	defer unlock()
	done, err := p.prepare(ctx, formatOf(r), r)
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare %s: %w", r, err)
	}
	return done, nil
}

// jobPrefix returns the prefix of the keys of all objects that a job prepares for a release at a revision. It has the name of the
// job, because another job may run a version of the program that renders other bytes from the same rows.
func jobPrefix(r catalog.Release, job string, revision int64, nonce string) string {
	return fmt.Sprintf("%s%d-%s/%s/", layout.PreparedPrefix(r), revision, nonce, job)
}

// preparedKey returns the key of the object in which workers record for the publishing process what they have prepared.
func preparedKey(r catalog.Release, job string, revision int64, nonce string) string {
	return jobPrefix(r, job, revision, nonce) + "prepared.json"
}

// RecordPrepared stores the description of a release that a job has prepared, for [Preparer.FindPrepared]. It does nothing if
// another attempt of the job has stored it.
func (p *Preparer) RecordPrepared(ctx context.Context, job string, done Prepared) error {
	r, err := catalog.ParseRelease(done.Release)
	if err != nil {
		return err
	}
	body, err := json.Marshal(done)
	if err != nil {
		return err
	}
	err = p.bucket.Create(ctx, layout.ObjectOf(preparedKey(r, job, done.Revision, done.Nonce)), bytes.NewReader(body))
	if errors.Is(err, ErrExists) { // another attempt has stored the same
		return nil
	}
	return err
}

// FindPrepared returns the description that a job has recorded for a release at its latest revision, or nil if there is none.
func (p *Preparer) FindPrepared(ctx context.Context, r catalog.Release, job string) (*Prepared, error) {
	snap, err := p.snapshots.Snapshot(ctx, r)
	if err != nil {
		return nil, err
	}
	snap.Close() //nolint:errcheck // a read
	key := preparedKey(r, job, snap.Revision.Number, snap.Revision.Nonce)
	body, meta, err := tree.ReadSmall(ctx, p.bucket, key)
	if err != nil || meta.Version == "" {
		return nil, err
	}
	var done Prepared
	if err := json.Unmarshal(body, &done); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return &done, nil
}

func (p *Preparer) prepare(ctx context.Context, f format, r catalog.Release) (Prepared, error) {
	old, err := p.read(ctx, r)
	if err != nil {
		return Prepared{}, err
	}
	snap, err := p.snapshots.Snapshot(ctx, r)
	if err != nil {
		return Prepared{}, err
	}
	defer snap.Close() //nolint:errcheck // a read
	done := Prepared{Release: r.String(), Revision: snap.Revision.Number, Nonce: snap.Revision.Nonce}
	if old.Exists && old.Revision == snap.Revision {
		return done, nil
	}
	rd, err := p.render(ctx, f, snap)
	if err != nil {
		return done, err
	}
	defer p.renderings.Put(r, rd)
	snap.Close() //nolint:errcheck // a read
	d := buildRelease(f, snap, rd, old.Date, extras{})
	// A crash here leaves index files that no pointer names. The next run writes the same files.
	if _, err := createIndexes(ctx, p.bucket, d.indexes, old.Live(), false); err != nil {
		return done, err
	}
	done.Packages = rd.Packages
	for _, x := range rd.Indexes {
		done.Indexes = append(done.Indexes, preparedIndex(x))
	}
	return done, nil
}

// prepared returns the prepared rendering of a snapshot, or nil if it is of another revision or cannot be read. It reads the files
// in full: the signature covers the digests computed here, not those that a worker reports.
func (p *Preparer) prepared(ctx context.Context, f format, snap *catalogdb.Snapshot, done *Prepared) (*render.Rendering, error) {
	if done == nil || done.Release != snap.Release.String() || snap.Revision != (catalog.Revision{Number: done.Revision, Nonce: done.Nonce}) {
		return nil, nil
	}
	plan, err := f.plan(snap)
	if err != nil || len(plan.Indexes) != len(done.Indexes) {
		return nil, err
	}
	files := make([]render.File, len(done.Indexes))
	for i, x := range done.Indexes {
		files[i] = x.file()
	}
	rd, err := render.Fetch(p.renderings.Dir, plan, snap, done.Packages, files, func(i int) io.Reader {
		return late(ctx, p.bucket, f.file(snap.Release, &render.Index{Name: files[i].Name, Packed: files[i].Packed, Plain: files[i].Plain}).key)
	})
	if err != nil {
		p.log.Warn("prepared index does not match its description; rendering the release instead", "release", done.Release, "error", err)
		return nil, ctx.Err()
	}
	return rd, nil
}

// late returns a reader that opens an object at the first Read, and closes it at its end or after an error.
func late(ctx context.Context, b Bucket, key string) io.Reader {
	var body io.ReadCloser
	return readerFunc(func(p []byte) (n int, err error) {
		if body == nil {
			if body, _, err = b.Get(ctx, key); err != nil {
				return 0, err
			}
		}
		if n, err = body.Read(p); err != nil {
			body.Close()
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
