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
)

func init() {
	registerDoFn[prepareFn]()
	registerDoFn[planFn]()
	registerDoFn[renderFn]()
	registerDoFn[assembleFn]()
	registerDoFn[gatherFn]()
	register.Emitter1[publish.Shard]()
	register.Emitter2[string, publish.Part]()
	register.Emitter2[string, Made]()
	register.Iter1[publish.Part]()
	register.Iter1[Made]()
}

// Prepare builds the pipeline of a job that makes the index files of releases, given by name, and stores
// them. It needs no signing key: what it prepared is published with [Resources.PublishRelease], by the process
// that has the key. The job's name is a plain word that no other job has. It returns the names of the releases that are prepared.
// A fault concerns its release alone, which is then rendered by the process that publishes it.
func Prepare(s beam.Scope, cfg Config, job string, releases beam.PCollection) (prepared beam.PCollection) {
	s = s.Scope("prepare")
	return beam.ParDo(s, &prepareFn{opener{Config: cfg}, job}, beam.GroupByKey(s, beam.AddFixedKey(s, releases)))
}

// PrepareWhole is [Prepare] for whole releases, whatever their size: each is cut into shards that many
// workers render.
//
//	releases -> plan -> shards -> render -> parts, by index -> assemble -> indexes, by release -> gather
func PrepareWhole(s beam.Scope, cfg Config, job string, releases beam.PCollection) (prepared beam.PCollection) {
	s = s.Scope("prepare-whole")
	shards := beam.Reshuffle(s, beam.ParDo(s, &planFn{opener{Config: cfg}, job}, releases))
	parts := beam.ParDo(s, &renderFn{opener{Config: cfg}}, shards)
	indexes := beam.ParDo(s, &assembleFn{opener{Config: cfg}}, beam.GroupByKey(s, parts))
	return beam.ParDo(s, &gatherFn{opener{Config: cfg}}, beam.GroupByKey(s, indexes))
}

// prepareFn prepares releases at the same time, each rendered as a whole.
type prepareFn struct {
	opener
	Job string
}

// ProcessElement takes all releases of a run.
func (f *prepareFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool, emit func(string)) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	done := map[string]*bool{}
	for name := ""; names(&name); {
		if done[name] != nil {
			continue
		}
		ok := new(bool)
		done[name] = ok
		g.Go(func() error {
			err := f.prepare(ctx, name)
			if *ok = err == nil; !*ok {
				f.r.Log.Error("not prepared; whoever publishes it does it all", "release", name, "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // logged
	for name, ok := range done {
		if *ok {
			emit(name)
		}
	}
	return ctx.Err()
}

func (f *prepareFn) prepare(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, PublishLimit)
	defer cancel()
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
		f.r.Log.Error("not planned; whoever publishes it does it all", "release", name, "error", err)
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
		f.r.Log.Error("not rendered; whoever publishes it does it all", "release", s.Release, "shard", s.Number, "error", err)
		return ctx.Err()
	}
	for _, part := range parts {
		emit(fmt.Sprintf("%s %d", s.Release, part.Index), part)
	}
	return nil
}

// A Made index is one that is assembled.
type Made struct {
	Index publish.PreparedIndex
	Part  publish.Part // one of those that it is made of
}

// assembleFn makes an index of its parts.
type assembleFn struct{ opener }

// ProcessElement emits the index under its release, unless it is of rows that have changed.
func (f *assembleFn) ProcessElement(ctx context.Context, _ string, next func(*publish.Part) bool, emit func(string, Made)) error {
	var parts []publish.Part
	for part := (publish.Part{}); next(&part); part = (publish.Part{}) {
		parts = append(parts, part)
	}
	index, ok, err := f.r.Publisher.Assemble(ctx, parts)
	if err != nil {
		f.r.Log.Error("not assembled; whoever publishes it does it all", "error", err)
		return ctx.Err()
	}
	if ok {
		emit(parts[0].Shard.Release, Made{index, parts[0]})
	}
	return nil
}

// gatherFn records a release all of whose indexes are made.
type gatherFn struct{ opener }

// ProcessElement emits the release's name.
func (f *gatherFn) ProcessElement(ctx context.Context, name string, next func(*Made) bool, emit func(string)) error {
	var s publish.Shard
	indexes := map[int]publish.PreparedIndex{}
	for m := (Made{}); next(&m); m = (Made{}) {
		s = m.Part.Shard
		indexes[m.Part.Index] = m.Index
	}
	prepared := publish.Prepared{Release: name, Revision: s.Revision, Nonce: s.Nonce, Packages: s.Packages}
	for i := range len(indexes) {
		prepared.Indexes = append(prepared.Indexes, indexes[i])
	}
	if err := f.r.Publisher.RecordPrepared(ctx, s.Job, prepared); err != nil {
		f.r.Log.Error("not recorded; whoever publishes it does it all", "release", name, "error", err)
		return ctx.Err()
	}
	emit(name)
	return nil
}
