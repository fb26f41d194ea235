package pipelines

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/ingest/deb"
	"repomill/publish/pages/html"
	"repomill/publish/pages/model"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func init() {
	registerDoFn[contentsFn]()
}

// DefaultMaxContents is the largest DEB whose contents are read, unless configured otherwise. Few packages are larger, and those
// have most of the bytes.
const DefaultMaxContents = 16 << 20

const (
	contentsTime     = 2 * time.Minute // for one package, besides
	contentsMiBTime  = 4 * time.Second // for each MiB of the largest one: the reader rests half of the time
	contentsSlack    = time.Minute     // between the end of an attempt and that of its lease
	firstContents    = time.Minute     // from an attempt that failed to the second one
	maxContentsDelay = 6 * time.Hour
	contentsEnding   = 10 * time.Second // to say how an attempt ended
)

// Contents reads the contents of packages. An element is a [catalogdb.WantedContents] as JSON.
func Contents(s beam.Scope, cfg Config, wanted beam.PCollection) {
	s = s.Scope("Contents")
	beam.ParDo0(s, &contentsFn{opener{Config: cfg}}, beam.Reshuffle(s, wanted))
}

// contentsFn reads the contents of one package.
type contentsFn struct{ opener }

// ProcessElement returns an error if the catalog could not be asked: other faults are in it.
func (f *contentsFn) ProcessElement(ctx context.Context, wanted string) error {
	var w catalogdb.WantedContents
	if err := json.Unmarshal([]byte(wanted), &w); err != nil {
		return err
	}
	return f.r.readContents(ctx, w)
}

// TakeContents takes the package whose contents wait longest.
func (r *Resources) TakeContents(ctx context.Context) (w catalogdb.WantedContents, taken bool, err error) {
	now := r.Now(ctx)
	return r.Catalog.TakeContents(ctx, r.Config.MaxContents > 0, now, now.Add(r.contentsLimit()+contentsSlack))
}

// contentsLimit returns how long the contents of a package may be read. What a killed process was reading waits about as long.
func (r *Resources) contentsLimit() time.Duration {
	return contentsTime + time.Duration(r.Config.MaxContents>>20)*contentsMiBTime
}

// RunContents reads the contents of a package that was taken, on a runner.
func RunContents(ctx context.Context, run func(context.Context, *beam.Pipeline) error, cfg Config, w catalogdb.WantedContents) error {
	element, err := json.Marshal(w)
	if err != nil {
		return err
	}
	p, root := beam.NewPipelineWithRoot()
	Contents(root, cfg, beam.Create(root, string(element)))
	return run(ctx, p)
}

// readContents reads the contents of a package, writes the list of its files, and records in the catalog how that ended. It may be
// interrupted at any point, and repeated by another process.
func (r *Resources) readContents(ctx context.Context, w catalogdb.WantedContents) error {
	if w.Gone {
		return r.removeContents(ctx, w)
	}
	limited, cancel := context.WithTimeout(ctx, r.contentsLimit())
	c, err := r.contentsOf(limited, w)
	cancel()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), contentsEnding)
	defer cancel()
	if err != nil {
		return r.failContents(ctx, ending, w, err)
	}
	kept, err := r.Catalog.PutContents(ending, w.Repository, w.File.SHA256, c, r.Now(ending))
	if err == nil && !kept { // the file was deleted, and its list is not found any more
		err = r.removeFilesPage(ending, w)
	}
	result := contentsRead
	if c.Why != "" {
		result = contentsSkipped
	}
	r.metrics.contents.WithLabelValues(result).Inc()
	return err
}

// failContents records why the contents of a package were not read. What pages say of a fault has nothing of the bucket in it.
func (r *Resources) failContents(ctx, ending context.Context, w catalogdb.WantedContents, cause error) error {
	now := r.Now(ending)
	if ctx.Err() != nil {
		return r.Catalog.ReturnContents(ending, w, now)
	}
	rej, final := errors.AsType[*catalog.Rejection](cause)
	why := "not read: its file could not be read"
	if final {
		why = "not read: " + rej.Detail
	}
	r.metrics.contents.WithLabelValues(contentsFailed).Inc()
	r.Log.Warn("contents of a package not read", "repository", w.Repository.String(), "package", w.Name, "version", w.Version, "sha256", w.File.SHA256,
		"attempt", w.Attempts, "final", final || w.Attempts >= catalogdb.MaxContentsAttempts, "error", cause)
	again := now.Add(min(firstContents<<(2*min(w.Attempts, 10)-2), maxContentsDelay))
	return r.Catalog.FailContents(ending, w, why, final, now, again)
}

// contentsOf reads a package, and writes the list of its files.
func (r *Resources) contentsOf(ctx context.Context, w catalogdb.WantedContents) (c catalogdb.Contents, err error) {
	if limit := r.Config.MaxContents; w.File.Size > limit {
		return catalogdb.Contents{Why: "not read: larger than " + sizeText(limit)}, nil
	}
	read, err := r.unpackContents(ctx, w.Package)
	if err != nil {
		return c, err
	}
	c = catalogdb.Contents{Files: read.Files, Changelog: read.Changelog}
	files := model.Files{Repository: model.Repository{Name: w.Repository}, Package: w.Package}
	for _, p := range read.Paths {
		files.Paths = append(files.Paths, model.File{Path: strings.ToValidUTF8(p.Path, "\ufffd"), Kind: p.Kind})
	}
	for _, page := range html.New(r.Config.PublicURL).Files(files) {
		if err := r.Bucket.Create(ctx, layout.ObjectOf(page.Key), bytes.NewReader(page.Body)); err != nil && !errors.Is(err, fs.ErrExist) {
			return c, fmt.Errorf("write the list of files: %w", err)
		}
	}
	return c, nil
}

// unpackContents reads a package from the published bucket, on half a processor.
func (r *Resources) unpackContents(ctx context.Context, k catalog.Package) (*deb.Contents, error) {
	if k.Key == "" {
		return nil, errors.New("no distribution has its file now")
	}
	body, _, err := r.Bucket.Get(ctx, k.Key)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was read
	sum := sha256.New()
	in := io.TeeReader(&pacedReader{ctx: ctx, r: body, last: time.Now()}, sum)
	read, err := deb.ReadContents(in)
	if err != nil && !isRejection(err) {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != k.File.SHA256 { // then a rejection says nothing of the package
		return nil, fmt.Errorf("the published bucket has other bytes under %s than were published: sha256 %s, not %s; restore the file", k.Key, got, k.File.SHA256)
	}
	return read, err
}

func isRejection(err error) bool {
	_, ok := errors.AsType[*catalog.Rejection](err)
	return ok
}

// A pacedReader waits before each read for as long as its caller has worked since the one before, so that the caller has half a
// processor, and ends with ctx.
type pacedReader struct {
	ctx  context.Context
	r    io.Reader
	last time.Time
}

func (p *pacedReader) Read(b []byte) (int, error) {
	select {
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	case <-time.After(time.Since(p.last)):
	}
	n, err := p.r.Read(b)
	p.last = time.Now()
	return n, err
}

// removeContents deletes the list of files of a package that is gone, and then what the catalog has of it.
func (r *Resources) removeContents(ctx context.Context, w catalogdb.WantedContents) error {
	if err := r.removeFilesPage(ctx, w); err != nil {
		return err
	}
	r.metrics.contents.WithLabelValues(contentsRemoved).Inc()
	return r.Catalog.ForgetContents(ctx, w)
}

// removeFilesPage deletes the list of files of a package, if there is one.
func (r *Resources) removeFilesPage(ctx context.Context, w catalogdb.WantedContents) error {
	key := layout.FilesPageKey(w.Repository, w.Name, w.File.SHA256)
	v, err := tree.VersionOf(ctx, r.Bucket, key)
	if err != nil || v == "" {
		return err
	}
	return r.Bucket.Delete(ctx, key, v)
}

// sizeText returns a number of bytes for people.
func sizeText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
