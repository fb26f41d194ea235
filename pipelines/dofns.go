package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"golang.org/x/sync/errgroup"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func init() {
	register.DoFn5x1[context.Context, Batch, func(Good), func(Bad), func(Bad), error](&storeFn{})
	register.DoFn2x1[context.Context, Bad, error](&rejectFn{})
	register.DoFn2x1[context.Context, Bad, error](&faultFn{})
	register.DoFn4x1[context.Context, int, func(*Good) bool, func(string), error](&rowsFn{})
	register.DoFn4x1[context.Context, int, func(*string) bool, func(Receipt), error](&publishFn{})
	register.DoFn3x0[context.Context, int, func(*Receipt) bool](&reportFn{})
	register.Emitter1[Good]()
	register.Emitter1[Bad]()
	register.Emitter1[string]()
	register.Emitter1[Receipt]()
	register.Iter1[Good]()
	register.Iter1[string]()
	register.Iter1[Receipt]()
}

// Counters are for people; the catalog is the truth.
var (
	goodUploads     = beam.NewCounter("repomill", "uploads-good")
	rejectedUploads = beam.NewCounter("repomill", "uploads-rejected")
	faultedUploads  = beam.NewCounter("repomill", "uploads-faulted")
)

// storeFn stores the packages of a batch, several at a time.
type storeFn struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (f *storeFn) Setup() (err error) {
	f.r, err = Open(f.Config)
	return err
}

// ProcessElement emits each upload once, to one of its outputs.
func (f *storeFn) ProcessElement(ctx context.Context, batch Batch, good func(Good), rejected, faulted func(Bad)) error {
	type outcome struct {
		stored ingest.Stored
		err    error
	}
	outcomes := make([]outcome, len(batch.Tasks))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range batch.Tasks {
		g.Go(func() error {
			outcomes[i].stored, outcomes[i].err = f.store(ctx, t.upload())
			return nil
		})
	}
	g.Wait() //nolint:errcheck // outcomes have the errors
	for i, o := range outcomes {
		task := batch.Tasks[i]
		if rej, ok := errors.AsType[*catalog.Rejection](o.err); ok {
			rejectedUploads.Inc(ctx, 1)
			rejected(Bad{Task: task, Reason: string(rej.Reason), Detail: rej.Detail})
			continue
		}
		k, err := json.Marshal(o.stored.Package)
		if err = errors.Join(o.err, err); err != nil {
			faultedUploads.Inc(ctx, 1)
			faulted(Bad{Task: task, Detail: err.Error()})
			continue
		}
		goodUploads.Inc(ctx, 1)
		good(Good{Task: task, Package: k, Dirs: o.stored.Dirs})
	}
	return ctx.Err()
}

// store tries a fault again, twice, before it is passed on.
func (f *storeFn) store(ctx context.Context, u catalog.Upload) (stored ingest.Stored, err error) {
	for wait := 50 * time.Millisecond; ; wait *= 4 {
		stored, err = f.r.Ingester.Store(ctx, u)
		_, rejected := errors.AsType[*catalog.Rejection](err)
		if err == nil || rejected || wait > 500*time.Millisecond {
			return stored, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return stored, ctx.Err()
		}
	}
}

// rejectFn records rejections and tells the uploader.
type rejectFn struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (f *rejectFn) Setup() (err error) {
	f.r, err = Open(f.Config)
	return err
}

// ProcessElement records one rejection.
func (f *rejectFn) ProcessElement(ctx context.Context, b Bad) error {
	rej := catalog.Rejection{Reason: catalog.Reason(b.Reason), Detail: b.Detail}
	if err := f.r.Catalog.Reject(ctx, b.Task.upload(), b.Task.Token, rej, time.Now()); err != nil {
		f.r.Log.Error("rejection not recorded; the sweep tries again", "upload", b.Task.upload().String(), "error", err)
		return ctx.Err()
	}
	f.r.Log.Warn("rejected", "upload", b.Task.upload().String(), "reason", b.Reason, "detail", b.Detail)
	f.r.tell(ctx)
	return ctx.Err()
}

// faultFn gives up the leases of uploads that met a fault, so that they are tried again.
type faultFn struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (f *faultFn) Setup() (err error) {
	f.r, err = Open(f.Config)
	return err
}

// ProcessElement gives up one lease.
func (f *faultFn) ProcessElement(ctx context.Context, b Bad) error {
	f.r.Log.Error("fault; will be tried again", "upload", b.Task.upload().String(), "error", b.Detail)
	if err := f.r.Catalog.Return(ctx, b.Task.upload(), b.Task.Token); err != nil {
		f.r.Log.Error("lease not given up; it expires", "upload", b.Task.upload().String(), "error", err)
	}
	return ctx.Err()
}

// rowsFn makes the rows of stored packages active and emits the releases that have to be published.
type rowsFn struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (f *rowsFn) Setup() (err error) {
	f.r, err = Open(f.Config)
	return err
}

// maxGroup is the number of rows that one transaction activates.
const maxGroup = 50

// ProcessElement takes all good uploads of a run.
func (f *rowsFn) ProcessElement(ctx context.Context, _ int, goods func(*Good) bool, emit func(string)) error {
	var all []catalogdb.Stored
	for g := (Good{}); goods(&g); g = (Good{}) {
		s := catalogdb.Stored{Upload: g.Task.upload(), Token: g.Task.Token, Dirs: g.Dirs}
		if err := json.Unmarshal(g.Package, &s.Package); err != nil {
			return err
		}
		all = append(all, s)
	}
	touched := map[catalog.Repository]bool{}
	for group := range slices.Chunk(all, maxGroup) {
		f.activate(ctx, group)
		for _, s := range group {
			touched[s.Package.Repository] = true
		}
	}
	releases, err := f.r.Catalog.Unpublished(ctx)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if touched[r.Repository] {
			emit(r.String())
		}
	}
	return ctx.Err()
}

// activate makes a group of rows active together or, if that fails, one by one, so that a row that
// cannot be stored keeps no other one back.
func (f *rowsFn) activate(ctx context.Context, group []catalogdb.Stored) {
	err := f.activateGrown(ctx, group)
	if err != nil && len(group) > 1 {
		for i := range group {
			f.activate(ctx, group[i:i+1])
		}
		return
	}
	if err != nil {
		faultedUploads.Inc(ctx, 1)
		f.r.Log.Error("fault; will be tried again", "upload", group[0].Upload.String(), "error", err)
		if err := f.r.Catalog.Return(ctx, group[0].Upload, group[0].Token); err != nil {
			f.r.Log.Error("lease not given up; it expires", "upload", group[0].Upload.String(), "error", err)
		}
	}
}

// activateGrown copies noarch packages into directories that were added since they were stored.
func (f *rowsFn) activateGrown(ctx context.Context, group []catalogdb.Stored) error {
	for {
		err := f.r.Catalog.Activate(ctx, group, time.Now())
		if !errors.Is(err, catalogdb.ErrGrown) {
			return err
		}
		for i := range group {
			if group[i].Dirs, err = f.r.Ingester.Spread(ctx, group[i].Package); err != nil {
				return err
			}
		}
	}
}

// publishFn publishes releases at the same time, each limited in time, and tells the uploaders.
type publishFn struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (f *publishFn) Setup() (err error) {
	f.r, err = Open(f.Config)
	return err
}

// maxPublishes bounds how many releases one run publishes at the same time.
const maxPublishes = 8

// ProcessElement takes all releases of a run.
func (f *publishFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool, emit func(Receipt)) error {
	set := map[string]bool{}
	for name := ""; names(&name); {
		set[name] = true
	}
	receipts := make(chan Receipt, len(set))
	var g errgroup.Group
	g.SetLimit(maxPublishes)
	for name := range set {
		g.Go(func() error {
			receipts <- f.publish(ctx, name)
			return nil
		})
	}
	g.Wait() //nolint:errcheck // receipts have the errors
	close(receipts)
	for receipt := range receipts {
		emit(receipt)
	}
	return ctx.Err()
}

func (f *publishFn) publish(ctx context.Context, name string) Receipt {
	receipt := Receipt{Release: name}
	release, err := catalog.ParseRelease(name)
	if err != nil {
		receipt.Error = err.Error()
		return receipt
	}
	limited, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	start := time.Now()
	res, err := f.r.Publisher.Release(limited, release)
	if err != nil {
		f.r.Log.Error("not published; the sweep tries again", "release", name, "error", err)
		receipt.Error = err.Error()
		return receipt
	}
	if res.Changed {
		f.r.Log.Info("published", "release", name, "revision", res.Revision.Number, "packages", res.Packages, "took", time.Since(start).Round(time.Millisecond).String())
		if f.r.OnPublish != nil {
			f.r.OnPublish(ctx, res)
		}
	}
	receipt.Revision = res.Revision.Number
	f.r.tell(ctx)
	return receipt
}

// reportFn closes a run: a sink that waits for all receipts.
type reportFn struct{}

// ProcessElement logs what a run came to.
func (*reportFn) ProcessElement(ctx context.Context, _ int, receipts func(*Receipt) bool) {
	published, failed := 0, 0
	for r := (Receipt{}); receipts(&r); r = (Receipt{}) {
		if r.Error == "" {
			published++
		} else {
			failed++
		}
	}
	slog.DebugContext(ctx, "run ended", "published", published, "failed", failed)
}
