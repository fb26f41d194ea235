package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"repomill/ingest"
	"repomill/pipelines/tracing"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func init() {
	registerDoFn[storeFn]()
	registerDoFn[rejectFn]()
	registerDoFn[faultFn]()
	registerDoFn[rowsFn]()
	registerDoFn[behindFn]()
	register.Emitter1[StoredUpload]()
	register.Emitter1[FailedUpload]()
	register.Emitter1[string]()
	register.Iter1[StoredUpload]()
	register.Iter1[string]()
}

// Counters are for people; the catalog is the truth.
var (
	storedUploads   = beam.NewCounter("repomill", "uploads-good")
	rejectedUploads = beam.NewCounter("repomill", "uploads-rejected")
	faultedUploads  = beam.NewCounter("repomill", "uploads-faulted")
)

// An opener is what DoFns have in common: resources that travel as a configuration, and are opened once
// per process.
type opener struct {
	Config Config
	r      *Resources
}

// Setup opens the resources.
func (o *opener) Setup(ctx context.Context) (err error) {
	o.r, err = Open(context.WithoutCancel(ctx), o.Config)
	return err
}

// storeFn stores the packages of a batch, several at a time.
type storeFn struct{ opener }

// ProcessElement emits each upload once, to one of its outputs.
func (f *storeFn) ProcessElement(ctx context.Context, batch Batch, stored func(StoredUpload), rejected, faulted func(FailedUpload)) error {
	type outcome struct {
		ingest.Stored
		err error
	}
	outcomes := make([]outcome, len(batch.Tasks))
	slots := slotsOf()
	together := f.r.Ingester.Together(len(batch.Tasks), slots)
	inSlots(batch.Tasks, slots, together.Waits, func(i int) {
		defer together.Finished()
		start, u := time.Now(), batch.Tasks[i].Upload()
		outcomes[i].Stored, outcomes[i].err = f.store(ctx, together, u, batch.Alone)
		tracing.Span(u, "store", start, time.Now(), outcomes[i].err)
	})
	for i, o := range outcomes {
		task := batch.Tasks[i]
		if rej, ok := errors.AsType[*catalog.Rejection](o.err); ok {
			rejectedUploads.Inc(ctx, 1)
			rejected(FailedUpload{Task: task, Reason: string(rej.Reason), Detail: rej.Detail})
			continue
		}
		k, err := json.Marshal(o.Package)
		if err = errors.Join(o.err, err); err != nil {
			faultedUploads.Inc(ctx, 1)
			faulted(FailedUpload{Task: task, Detail: err.Error(), Counts: errors.Is(err, errBlamed)})
			continue
		}
		storedUploads.Inc(ctx, 1)
		stored(StoredUpload{Task: task, Package: k, Dirs: append([]string{}, o.Dirs...), Checked: string(o.Checked)}) // not nil: Java's row coder refuses how Go encodes that
	}
	return ctx.Err()
}

// errBlamed marks a fault that is to be blamed on the upload if it comes again and again.
var errBlamed = errors.New("the upload may be to blame")

// store makes an attempt at an upload, limited in time. One that takes too long for its batch is only put
// off: it will be read alone. A panic is a fault too: the other uploads must not suffer from it.
func (f *storeFn) store(ctx context.Context, together *ingest.Together, u catalog.Upload, alone bool) (stored ingest.Stored, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", errBlamed, v, debug.Stack())
		}
	}()
	limit := f.Config.limit(u.Size, alone)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stored, err = f.storeAgain(limited, together, u)
	switch {
	case err == nil || limited.Err() == nil || ctx.Err() != nil:
		return stored, err
	case alone && f.r.answers(ctx, u):
		return stored, fmt.Errorf("%w: not read and stored within %s: %w", errBlamed, limit, err)
	case alone:
		return stored, fmt.Errorf("not read and stored within %s, and the stores do not answer: %w", limit, err)
	default:
		return stored, fmt.Errorf("not read and stored within %s, while others waited: %w", limit, err)
	}
}

// answerLimit is how long a store may take to say something at all.
const answerLimit = 10 * time.Second

// answers reports whether catalog, bucket and staging answer: if they do, an upload that took too long
// has itself to blame.
func (r *Resources) answers(ctx context.Context, u catalog.Upload) bool {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var err error
	if !u.Promoted() {
		_, err = r.Staging.Stat(ctx, u.Object)
	}
	return (err == nil || errors.Is(err, fs.ErrNotExist)) && r.Ready(ctx) == nil
}

// storeAgain tries a fault again, twice, before it is passed on.
func (f *storeFn) storeAgain(ctx context.Context, together *ingest.Together, u catalog.Upload) (stored ingest.Stored, err error) {
	for wait := 50 * time.Millisecond; ; wait *= 4 {
		stored, err = together.Store(ctx, u)
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

// rejectFn records rejections and writes verdict objects for their pushers.
type rejectFn struct{ opener }

// ProcessElement records one rejection.
func (f *rejectFn) ProcessElement(ctx context.Context, b FailedUpload) error {
	rej := catalog.Rejection{Reason: catalog.Reason(b.Reason), Detail: b.Detail}
	if err := f.r.Catalog.Reject(ctx, b.Task.Upload(), b.Task.Token, rej, time.Now()); err != nil {
		f.r.Log.Error("rejection not recorded; will be tried again", "upload", b.Task.Upload().String(), "error", err)
		return ctx.Err()
	}
	f.r.WriteVerdicts(ctx)
	return ctx.Err()
}

// faultFn logs and records what uploads met. Their rows stay as they are otherwise.
type faultFn struct{ opener }

// ProcessElement records one fault.
func (f *faultFn) ProcessElement(ctx context.Context, b FailedUpload) error {
	f.r.RecordFault(ctx, b.Task.Upload(), b.Task.Token, b.Detail)
	if b.Counts {
		why := shownFault(b.Task.Upload(), b.Detail)
		if err := f.r.Catalog.GiveUp(ctx, b.Task.Upload(), b.Task.Token, why, time.Now()); err != nil && ctx.Err() == nil {
			f.r.Log.Error("attempt not counted", "upload", b.Task.Upload().String(), "error", err)
		}
		f.r.WriteVerdicts(ctx) // if that was the last one
	}
	return ctx.Err()
}

// RecordFault says, in the log and in the catalog, why an upload is not done yet.
func (r *Resources) RecordFault(ctx context.Context, u catalog.Upload, token, why string) {
	r.metrics.faults.Inc()
	r.Log.Error("fault; will be tried again", "upload", u.String(), "error", why)
	if err := r.Catalog.RecordUploadFault(ctx, u, token, "will be tried again: "+shownFault(u, why)); err != nil && ctx.Err() == nil {
		r.Log.Error("fault not recorded", "upload", u.String(), "error", err)
	}
}

// shownFault returns what people read of a fault: without a stack, and with the name of the file that they pushed.
func shownFault(u catalog.Upload, why string) string {
	why, _, _ = strings.Cut(why, "\n")
	return layout.ShownIn(why, u.Object)
}
