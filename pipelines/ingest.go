package pipelines

import (
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
)

// A Task is an upload that the dispatcher holds a lease on.
type Task struct {
	Bucket, Object, Generation string
	Size                       int64
	Token                      string // of the lease
}

// A Batch is the element of the ingest pipeline: uploads that are published together.
type Batch struct {
	Run   string // names the run, for who waits for it; may be empty
	Tasks []Task
	Alone bool // nobody waits for it: it may take its time
}

// A Good upload is in the bucket, and its identity is claimed.
type Good struct {
	Task    Task
	Package []byte   // JSON of the catalog.Package, without fragments
	Dirs    []string // RPM: the directories that have the file
	Checked string   // as catalog.Checked
}

// A Bad upload is rejected, or its handling met a fault.
type Bad struct {
	Task   Task
	Reason string // of a rejection; empty for a fault
	Detail string
	Counts bool // a fault that, met too often, is the upload's own: it hung, or made us panic
}

// A Receipt says what became of a release.
type Receipt struct {
	Release  string
	Revision int64
	Error    string
}

// Upload returns the upload of a task.
func (t Task) Upload() catalog.Upload {
	return catalog.Upload{Bucket: t.Bucket, Object: t.Object, Generation: t.Generation, Size: t.Size}
}

// PublishLimit is how long one publish of one release may take before it is left to the next sweep.
const PublishLimit = 5 * time.Minute

// Ingest builds the pipeline that takes batches of uploads to published releases:
//
//	batches -> store -> good     -> rows -> releases -> publish -> receipts -> report
//	                 -> rejected -> reject
//	                 -> faulted  -> log
//
// A rejection or a fault concerns its own upload alone. A run that ends well proves nothing: the
// catalog says what became of each upload. One that is neither stored nor rejected then met a fault:
// whoever has its lease gives that back.
func Ingest(s beam.Scope, cfg Config, batches beam.PCollection) {
	s = s.Scope("ingest")
	Publish(s, cfg, Store(s, cfg, batches))
}

// Store builds the part of [Ingest] that ends with rows, and returns the names of the releases that
// have to be published.
func Store(s beam.Scope, cfg Config, batches beam.PCollection) (releases beam.PCollection) {
	s = s.Scope("store")
	good, rejected, faulted := beam.ParDo3(s, &storeFn{opener{Config: cfg}}, batches)
	beam.ParDo0(s, &rejectFn{opener{Config: cfg}}, rejected)
	beam.ParDo0(s, &faultFn{opener{Config: cfg}}, faulted)
	return beam.ParDo(s, &rowsFn{opener{Config: cfg}}, beam.GroupByKey(s, beam.AddFixedKey(s, good)))
}

// Publish builds the pipeline that brings releases, given by name, up to date with their rows. All
// releases of a run are published at the same time.
func Publish(s beam.Scope, cfg Config, releases beam.PCollection) {
	s = s.Scope("publish")
	receipts := beam.ParDo(s, &publishFn{opener{Config: cfg}}, beam.GroupByKey(s, beam.AddFixedKey(s, releases)))
	beam.ParDo0(s, &reportFn{}, beam.GroupByKey(s, beam.AddFixedKey(s, receipts)))
}

// RepositoryOf returns the repository in a staging key, whatever it may be.
func RepositoryOf(object string) catalog.Repository {
	owner, rest, _ := strings.Cut(object, "/")
	name, _, _ := strings.Cut(rest, "/")
	return catalog.Repository{Owner: owner, Name: name}
}
