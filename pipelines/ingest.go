package pipelines

import (
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
	Tasks []Task
	Alone bool // no other upload waits for it: it may take its time
}

// A StoredUpload is an upload whose package is in the bucket, and whose identity is claimed.
type StoredUpload struct {
	Task    Task
	Package []byte   // JSON of the catalog.Package, without fragments
	Dirs    []string // RPM: the directories that have the file
	Checked string   // as catalog.Checked
}

// A FailedUpload is an upload that is rejected, or whose handling met a fault.
type FailedUpload struct {
	Task   Task
	Reason string // of a rejection; empty for a fault
	Detail string
	Counts bool // a fault that, met too often, is the upload's own: it hung, or made this program panic
}

// Upload returns the upload of a task.
func (t Task) Upload() catalog.Upload {
	return catalog.Upload{Bucket: t.Bucket, Object: t.Object, Generation: t.Generation, Size: t.Size}
}

// Ingest builds the pipeline that stores batches of uploads and makes rows of them:
//
//	batches -> store -> stored   -> rows -> repositories
//	                 -> rejected -> reject
//	                 -> faulted  -> record
//
// It returns the names of the repositories that got rows, whose releases have to be published ([Behind]). A rejection or a fault
// concerns its own upload alone. A successful run is not evidence: the catalog says what became of each upload. One that is
// neither stored nor rejected then met a fault: the holder of its lease gives that back.
func Ingest(s beam.Scope, cfg Config, batches beam.PCollection) (repositories beam.PCollection) {
	s = s.Scope("ingest")
	stored, rejected, faulted := beam.ParDo3(s, &storeFn{opener{Config: cfg}}, batches)
	beam.ParDo0(s, &rejectFn{opener{Config: cfg}}, rejected)
	beam.ParDo0(s, &faultFn{opener{Config: cfg}}, faulted)
	return beam.ParDo(s, &rowsFn{opener{Config: cfg}}, beam.GroupByKey(s, beam.AddFixedKey(s, stored)))
}

// Behind returns the names of the releases of repositories, given by name, whose rows are ahead of what clients see.
func Behind(s beam.Scope, cfg Config, repositories beam.PCollection) (releases beam.PCollection) {
	s = s.Scope("behind")
	return beam.ParDo(s, &behindFn{opener{Config: cfg}}, beam.GroupByKey(s, beam.AddFixedKey(s, repositories)))
}
