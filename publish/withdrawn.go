package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A withdrawnList is the list of the withdrawn packages of a release: objects beside the manifests, which name them. Publishes share
// its chunks, and the whole list if nothing was withdrawn or came back. The zero list has no packages.
type withdrawnList struct {
	object *tree.Object    // what names the chunks; nil if there are none
	root   *indexFile      // that object; nil if it was not rendered
	chunks []indexFile     // those that were rendered
	live   map[string]bool // keys of what the live manifest names
	whole  bool            // all chunks were rendered
	bytes  *render.List
}

// close releases the bytes of the list.
func (l withdrawnList) close() {
	if l.bytes != nil {
		l.bytes.Close()
	}
}

// files returns the files that were rendered: chunks, and then what names them.
func (l withdrawnList) files() []indexFile {
	files := slices.Clone(l.chunks)
	if l.root != nil {
		files = append(files, *l.root)
	}
	return files
}

// maxWithdrawnChanges bounds the sort keys of changed rows that are held in memory. Beyond it, the list is rendered whole.
const maxWithdrawnChanges = 100_000

// listWithdrawn makes the list for a snapshot. It begins with the list of the live pointer and renders those chunks again in which rows
// changed since the pointer's revision. It renders all if that list is of another format or generation, or cannot be read, and with
// whole. The caller closes the list.
func (p *Preparer) listWithdrawn(ctx context.Context, snap *catalogdb.Snapshot, old tree.Published, whole bool) (l withdrawnList, err error) {
	m, known := p.liveManifest(ctx, old)
	var keys [][]byte
	if known = known && !whole && m.WithdrawnFormat == tree.WithdrawnFormat && m.Generation == snap.Generation; known {
		if keys, known, err = snap.WithdrawnChanges(ctx, old.Revision, maxWithdrawnChanges); err != nil {
			return l, err
		}
	}
	if known && len(keys) == 0 {
		l.object = m.Withdrawn
		return l, nil
	}
	live, read := p.liveWithdrawn(ctx, old, m)
	l.live = map[string]bool{}
	for _, c := range live.Chunks {
		l.live[c.Object.Key] = true
	}
	if m.Withdrawn != nil {
		l.live[m.Withdrawn.Key] = true
	}
	chunks, spans := live.Chunks, withdrawnSpans(live.Chunks, keys)
	if l.whole = !known || !read; l.whole {
		chunks, spans = nil, []withdrawnSpan{{}}
	}
	if l.bytes, err = render.NewList(p.renderings.Dir); err == nil {
		err = l.render(ctx, snap, snap.Release, chunks, spans)
	}
	if err != nil {
		l.close()
	}
	return l, err
}

// liveManifest returns the manifest of the live pointer, and whether there is one that can be read.
func (p *Preparer) liveManifest(ctx context.Context, old tree.Published) (tree.Manifest, bool) {
	if !old.Exists {
		return tree.Manifest{}, false
	}
	m, err := tree.ReadManifest(ctx, p.bucket, old.Release, tree.ManifestKey(old.Release, old.Revision, tree.Sum(old.Body)))
	if err != nil {
		p.log.Warn("manifest not read; the list of withdrawn packages is made of all rows", "release", old.Release.String(), "error", err)
	}
	return m, err == nil
}

// liveWithdrawn returns the list of the live pointer, and whether it can be read.
func (p *Preparer) liveWithdrawn(ctx context.Context, old tree.Published, m tree.Manifest) (tree.WithdrawnList, bool) {
	l, err := tree.ReadWithdrawnList(ctx, p.bucket, old.Release, m)
	if err != nil {
		p.log.Warn("list of withdrawn packages not read; it is made of all rows", "release", old.Release.String(), "error", err)
	}
	return l, err == nil
}

// withdrawnRows has the withdrawn packages of a release. [catalogdb.Snapshot] implements it.
type withdrawnRows interface {
	// Withdrawn yields the packages with sort keys from .. to, in order; nil for no bound.
	Withdrawn(ctx context.Context, from, to []byte) iter.Seq2[catalog.Package, error]
}

// render replaces the chunks of spans by new ones, made of rows.
func (l *withdrawnList) render(ctx context.Context, rows withdrawnRows, r catalog.Release, chunks []tree.WithdrawnChunk, spans []withdrawnSpan) error {
	var next tree.WithdrawnList
	kept := 0
	for _, s := range spans {
		made, err := l.bytes.Chunks(ctx, withdrawnLines(rows.Withdrawn(ctx, s.from, s.to)))
		if err != nil {
			return err
		}
		next.Chunks = append(next.Chunks, chunks[kept:s.first]...)
		kept = s.after
		for _, c := range made {
			d := c.File.Packed
			l.chunks = append(l.chunks, indexFile{key: tree.WithdrawnChunkKey(r, d.SHA256), index: c.File})
			next.Chunks = append(next.Chunks, tree.WithdrawnChunk{Start: c.Start, Rows: c.Lines, Size: d.Size, SHA256: d.SHA256})
		}
	}
	if next.Chunks = append(next.Chunks, chunks[kept:]...); len(next.Chunks) == 0 {
		return nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	file, err := l.bytes.File(append(text, '\n'))
	if err != nil {
		return err
	}
	l.root = &indexFile{key: tree.WithdrawnListKey(r, file.Packed.SHA256), index: file}
	o := l.root.object()
	l.object = &o
	return nil
}

// withdrawnLines yields the line of each withdrawn package. A change of its bytes needs another [tree.WithdrawnFormat].
func withdrawnLines(rows iter.Seq2[catalog.Package, error]) iter.Seq2[render.Line, error] {
	return func(yield func(render.Line, error) bool) {
		for k, err := range rows {
			line := render.Line{Key: k.SortKey}
			if err == nil {
				line.Text, err = json.Marshal(k)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// A withdrawnSpan is a run of chunks to be rendered again, of the rows with sort keys from .. to.
type withdrawnSpan struct {
	first, after int
	from, to     []byte // nil: no bound
}

// withdrawnSpans returns the chunks in which rows with these sort keys, in order, are or were or have to come. Each chunk but the first
// starts at a key that starts one in any list that has it ([render.List]). So a row changes the chunk that it is in, and joins that to
// the one before if it was the first row of it.
func withdrawnSpans(chunks []tree.WithdrawnChunk, keys [][]byte) (all []withdrawnSpan) {
	for _, key := range keys {
		at := sort.Search(len(chunks), func(i int) bool { return bytes.Compare(chunks[i].Start, key) > 0 }) - 1
		s := withdrawnSpan{first: max(at, 0), after: min(max(at, 0)+1, len(chunks))}
		if at > 0 && bytes.Equal(chunks[at].Start, key) {
			s.first--
		}
		if n := len(all); n > 0 && s.first < max(all[n-1].after, 1) {
			s.first = min(s.first, all[n-1].first)
			all = all[:n-1]
		}
		if s.first > 0 {
			s.from = chunks[s.first].Start
		}
		if s.after < len(chunks) {
			s.to = chunks[s.after].Start
		}
		all = append(all, s)
	}
	return all
}

// create stores the chunks and then what names them. A chunk that is new is written; one of the live list is there, unless the list was
// made of all rows: then it is looked for. It returns those that were older than [maxAge], as [createIndexes] does.
func (l withdrawnList) create(ctx context.Context, b Bucket) (aged []indexFile, err error) {
	if aged, err = createEach(ctx, b, l.chunks, l.live, l.whole); err != nil || l.root == nil {
		return aged, err
	}
	more, err := createIndexes(ctx, b, []indexFile{*l.root}, l.live, l.whole)
	return append(aged, more...), err
}

// maxCreates is the number of files that [createEach] stores at a time.
const maxCreates = 16

// createEach is [createIndexes] for many small files.
func createEach(ctx context.Context, b Bucket, files []indexFile, live map[string]bool, made bool) (aged []indexFile, err error) {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxCreates)
	for _, x := range files {
		g.Go(func() error {
			old, err := createIndexes(ctx, b, []indexFile{x}, live, made)
			mu.Lock()
			defer mu.Unlock()
			aged = append(aged, old...)
			return err
		})
	}
	return aged, g.Wait()
}
