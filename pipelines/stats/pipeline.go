package stats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func init() {
	for _, t := range []reflect.Type{reflect.TypeFor[countFn](), reflect.TypeFor[batchFn](), reflect.TypeFor[writeFn]()} {
		beam.RegisterDoFn(t)
	}
	beam.RegisterType(reflect.TypeFor[sumFn]())
	register.Emitter2[string, Tally]()
	register.Emitter2[string, CountedFile]()
	register.Emitter2[string, CountedRow]()
	register.Iter1[CountedRow]()
	register.Iter1[CountedFile]()
}

// A Tally counts the answers of a row by the largest bytes at which they ended; Below has all others.
type Tally struct {
	Bytes, Counts []int64
	Below         int64
}

// A CountedRow is a row of a batch.
type CountedRow struct {
	Row   string // JSON
	Tally Tally
}

// A CountedFile is a log of a batch that was read to its end.
type CountedFile struct {
	File  string // JSON of the catalog.LogFile
	Lines string // JSON of the catalog.LogLines
}

// Count builds the pipeline that counts logs and adds the counts of each batch to the catalog, with the marks of its logs:
//
//	tasks -> count -> rows  -> sum -> batches -> write
//	               -> files ------------------->
//
// A log that cannot be read is left out of its batch: nothing of it is counted. A successful run is not evidence: the marks in the
// catalog say what was counted.
func Count(s beam.Scope, catalogURL string, tasks beam.PCollection) {
	s = s.Scope("stats")
	rows, files := beam.ParDo2(s, &countFn{}, beam.Reshuffle(s, tasks))
	batches := beam.ParDo(s, &batchFn{}, beam.CombinePerKey(s, &sumFn{}, rows))
	beam.ParDo0(s, &writeFn{Catalog: catalogURL}, beam.CoGroupByKey(s, batches, files))
}

// countFn counts one log. All of its lines are summed up before anything is emitted.
type countFn struct {
	stores map[string]Store
}

// ProcessElement counts the log of a task.
func (f *countFn) ProcessElement(ctx context.Context, t Task, rows func(string, Tally), files func(string, CountedFile)) error {
	res, err := f.read(ctx, t.log())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		slog.Error("log not counted", "log", t.Source, "file", t.Name, "error", err)
		return nil
	}
	for r, n := range res.rows {
		key, err := json.Marshal(r)
		if err != nil {
			return err
		}
		rows(t.Batch+"\n"+string(key), tallyOf(n))
	}
	file, err := json.Marshal(catalog.LogFile{Source: t.Source, Identity: t.Identity, State: t.State, From: t.From, Counted: res.end})
	if err != nil {
		return err
	}
	lines, err := json.Marshal(res.lines)
	files(t.Batch, CountedFile{string(file), string(lines)})
	return err
}

func (f *countFn) read(ctx context.Context, l Log) (result, error) {
	s, err := f.store(ctx, l.Store)
	if err != nil {
		return result{}, err
	}
	body, err := s.Open(ctx, l)
	if err != nil {
		return result{}, err
	}
	defer body.Close()
	return read(ctx, body, l.File.From, !l.Grows)
}

// store returns the store of a URL, opened once.
func (f *countFn) store(ctx context.Context, url string) (Store, error) {
	if s := f.stores[url]; s != nil {
		return s, nil
	}
	s, err := OpenStore(context.WithoutCancel(ctx), url)
	if err != nil || IsLocal(url) {
		return s, err
	}
	if f.stores == nil {
		f.stores = map[string]Store{}
	}
	f.stores[url] = s
	return s, nil
}

// Teardown closes the stores.
func (f *countFn) Teardown() error {
	var errs []error
	for _, s := range f.stores {
		errs = append(errs, s.Close())
	}
	f.stores = nil
	return errors.Join(errs...)
}

func tallyOf(n *ends) Tally {
	t := Tally{Bytes: []int64{}, Counts: []int64{}, Below: n.below}
	for _, e := range n.largest {
		t.Bytes, t.Counts = append(t.Bytes, e.Byte), append(t.Counts, e.Count)
	}
	return t
}

func (t Tally) ends() *ends {
	n := &ends{below: t.Below}
	for i, b := range t.Bytes {
		n.largest = append(n.largest, catalog.End{Byte: b, Count: t.Counts[i]})
	}
	return n
}

// sumFn adds the tallies of a row.
type sumFn struct{}

// MergeAccumulators adds two tallies.
func (sumFn) MergeAccumulators(a, b Tally) Tally {
	n := a.ends()
	n.merge(b.ends())
	return tallyOf(n)
}

// batchFn takes the name of the batch out of a key.
type batchFn struct{}

// ProcessElement emits a row under the name of its batch.
func (batchFn) ProcessElement(key string, t Tally, emit func(string, CountedRow)) {
	batch, r, _ := strings.Cut(key, "\n")
	emit(batch, CountedRow{r, t})
}

// writeFn adds batches to the catalog.
type writeFn struct {
	Catalog string
	db      *catalogdb.DB
}

// Setup opens the catalog.
func (f *writeFn) Setup() (err error) {
	f.db, err = catalogdb.Open(f.Catalog)
	return err
}

// Teardown closes the catalog.
func (f *writeFn) Teardown() error {
	if f.db == nil {
		return nil
	}
	return f.db.Close()
}

// ProcessElement adds one batch. A batch that was added before, by an attempt whose answer was lost, is not added again.
func (f *writeFn) ProcessElement(ctx context.Context, batch string, rows func(*CountedRow) bool, files func(*CountedFile) bool) error {
	b, err := batchOf(batch, rows, files)
	if err != nil {
		return err
	}
	if _, err := f.db.CountLogs(ctx, b, time.Now()); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		slog.Error("batch of logs not counted", "batch", batch, "logs", len(b.Files), "error", err)
	}
	return nil
}

// batchOf collects what a batch has.
func batchOf(name string, rows func(*CountedRow) bool, files func(*CountedFile) bool) (b catalog.LogBatch, err error) {
	b.Name = name
	for f := (CountedFile{}); files(&f); {
		var file catalog.LogFile
		var lines catalog.LogLines
		if err := errors.Join(json.Unmarshal([]byte(f.File), &file), json.Unmarshal([]byte(f.Lines), &lines)); err != nil {
			return b, fmt.Errorf("batch %s: %w", name, err)
		}
		b.Files = append(b.Files, file)
		b.Lines.Add(lines)
	}
	slices.SortFunc(b.Files, func(x, y catalog.LogFile) int { // in one order, so that two runs do not wait for each other
		return strings.Compare(x.Source+"\n"+x.Identity, y.Source+"\n"+y.Identity)
	})
	for c := (CountedRow{}); rows(&c); {
		var r row
		if err := json.Unmarshal([]byte(c.Row), &r); err != nil {
			return b, fmt.Errorf("batch %s: %w", name, err)
		}
		addRow(&b, r, c.Tally)
	}
	return b, nil
}

func addRow(b *catalog.LogBatch, r row, t Tally) {
	repository := catalog.Repository{Owner: r.Owner, Name: r.Name}
	distribution := catalog.Distribution{OS: r.OS, Version: r.Version}
	if r.Kind == "" {
		b.Lines.Partial += t.Below
		b.Downloads = append(b.Downloads, catalog.DownloadCount{
			Repository: repository, Distribution: distribution, Key: r.Key, Day: r.Day, Client: r.Client, ClientVersion: r.Release,
			Country: r.Country, Legacy: r.Legacy, Ends: t.ends().largest,
		})
		return
	}
	c := catalog.RequestCount{Repository: repository, Kind: r.Kind, Day: r.Day, Client: r.Client, Legacy: r.Legacy}
	if distribution.OS != "" {
		c.Distribution = distribution.String()
	}
	for _, n := range t.Counts {
		c.Count += n
	}
	b.Requests = append(b.Requests, c)
}
