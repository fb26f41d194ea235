package pipelines

import (
	"context"
	"fmt"
	"runtime"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"golang.org/x/sync/errgroup"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/stall"
)

func init() {
	registerDoFn[prepareFn]()
	registerDoFn[planFn]()
	registerDoFn[renderFn]()
	registerDoFn[assembleFn]()
	registerDoFn[gatherFn]()
	register.Emitter1[publish.Shard]()
	register.Emitter2[string, publish.Part]()
	register.Emitter2[string, BuiltIndex]()
	register.Iter1[publish.Part]()
	register.Iter1[BuiltIndex]()
}

// Prepare builds the pipeline of a job that makes the index files of releases, given by name, and stores them. It needs no signing
// key. Its result is what it records in the bucket, since a job on an engine returns nothing else: the process that has the key
// publishes that with [Resources.PublishRelease]. The job's name is a plain word that no other job has. A fault concerns its release
// alone, which is then rendered by the process that publishes it.
func Prepare(s beam.Scope, cfg Config, job string, releases beam.PCollection) {
	s = s.Scope("prepare")
	beam.ParDo0(s, &prepareFn{opener{Config: cfg}, job}, beam.GroupByKey(s, beam.AddFixedKey(s, releases)))
}

// PrepareWhole is [Prepare] for whole releases, however large: each is cut into shards that many workers render.
//
//	releases -> plan -> shards -> render -> parts, by index -> assemble -> indexes, by release -> gather
func PrepareWhole(s beam.Scope, cfg Config, job string, releases beam.PCollection) {
	s = s.Scope("prepare-whole")
	shards := beam.Reshuffle(s, beam.ParDo(s, &planFn{opener{Config: cfg}, job}, releases))
	parts := beam.ParDo(s, &renderFn{opener{Config: cfg}}, shards)
	indexes := beam.ParDo(s, &assembleFn{opener{Config: cfg}}, beam.GroupByKey(s, parts))
	beam.ParDo0(s, &gatherFn{opener{Config: cfg}}, beam.GroupByKey(s, indexes))
}

// prepareFn prepares releases at the same time, each rendered as a whole.
type prepareFn struct {
	opener
	Job string
}

// ProcessElement takes all releases of a run.
func (f *prepareFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	seen := map[string]bool{}
	for name := ""; names(&name); {
		if seen[name] {
			continue
		}
		seen[name] = true
		g.Go(func() error {
			if err := f.prepare(ctx, name); err != nil {
				f.r.Log.Error("not prepared; the process that publishes it renders it", "release", name, "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // logged
	return ctx.Err()
}

func (f *prepareFn) prepare(ctx context.Context, name string) error {
	ctx, cancel := stall.Limit(ctx, PublishLimit)
	defer cancel()
	return stall.Explain(ctx, f.prepareRelease(ctx, name))
}

func (f *prepareFn) prepareRelease(ctx context.Context, name string) error {
	r, err := catalog.ParseRelease(name)
	if err != nil {
		return err
	}
	prepared, err := f.r.Publisher.Prepare(ctx, r)
	if err != nil {
		return err
	}
	return f.r.Publisher.RecordPrepared(ctx, f.Job, prepared)
}

// planFn cuts a release into shards.
type planFn struct {
	opener
	Job string
}

// ProcessElement plans one release.
func (f *planFn) ProcessElement(ctx context.Context, name string, emit func(publish.Shard)) error {
	r, err := catalog.ParseRelease(name)
	var shards []publish.Shard
	if err == nil {
		shards, err = f.r.Publisher.Shards(ctx, r, f.Job, publish.DefaultShard)
	}
	if err != nil {
		f.r.Log.Error("not planned; the process that publishes it renders it", "release", name, "error", err)
		return ctx.Err()
	}
	for _, s := range shards {
		emit(s)
	}
	return nil
}

// renderFn renders a shard.
type renderFn struct{ opener }

// ProcessElement emits the shard's part of each of its indexes, under the index.
func (f *renderFn) ProcessElement(ctx context.Context, s publish.Shard, emit func(string, publish.Part)) error {
	parts, err := f.r.Publisher.RenderShard(ctx, s)
	if err != nil {
		f.r.Log.Error("not rendered; the process that publishes it renders it", "release", s.Release, "shard", s.Number, "error", err)
		return ctx.Err()
	}
	for _, part := range parts {
		emit(fmt.Sprintf("%s %d", s.Release, part.Index), part)
	}
	return nil
}

// A BuiltIndex is an index that is assembled from its parts.
type BuiltIndex struct {
	Index publish.PreparedIndex
	Part  publish.Part // one of those that it is made of
}

// assembleFn makes an index of its parts.
type assembleFn struct{ opener }

// ProcessElement emits the index under its release, unless it is of rows that have changed.
func (f *assembleFn) ProcessElement(ctx context.Context, _ string, next func(*publish.Part) bool, emit func(string, BuiltIndex)) error {
	var parts []publish.Part
	for part := (publish.Part{}); next(&part); part = (publish.Part{}) {
		parts = append(parts, part)
	}
	index, ok, err := f.r.Publisher.Assemble(ctx, parts)
	if err != nil {
		f.r.Log.Error("not assembled; the process that publishes it renders it", "error", err)
		return ctx.Err()
	}
	if ok {
		emit(parts[0].Shard.Release, BuiltIndex{index, parts[0]})
	}
	return nil
}

// gatherFn records a release all of whose indexes are made.
type gatherFn struct{ opener }

// ProcessElement takes all indexes of a release.
func (f *gatherFn) ProcessElement(ctx context.Context, name string, next func(*BuiltIndex) bool) error {
	var s publish.Shard
	indexes := map[int]publish.PreparedIndex{}
	for b := (BuiltIndex{}); next(&b); b = (BuiltIndex{}) {
		s = b.Part.Shard
		indexes[b.Part.Index] = b.Index
	}
	prepared := publish.Prepared{Release: name, Revision: s.Revision, Nonce: s.Nonce, Packages: s.Packages}
	for i := range len(indexes) {
		prepared.Indexes = append(prepared.Indexes, indexes[i])
	}
	if err := f.r.Publisher.RecordPrepared(ctx, s.Job, prepared); err != nil {
		f.r.Log.Error("not recorded; the process that publishes it renders it", "release", name, "error", err)
	}
	return ctx.Err()
}
