// Package stats counts downloads in logs of servers: CloudFront's standard logs, and the combined format of nginx and Apache. The
// pipeline is bounded, and the same on every runner; its result is what it writes to the catalog. deploy/statistics.md says what is
// counted, and what is never stored.
package stats

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A Task is the element of the pipeline: a log, and the batch in which it is counted.
type Task struct {
	Batch                   string
	Store, Name             string // as in [Log]
	Source, Identity, State string
	From, Size              int64
	Grows                   bool
}

func (t Task) log() Log {
	return Log{Store: t.Store, Name: t.Name, Size: t.Size, Grows: t.Grows, File: catalog.LogFile{Source: t.Source, Identity: t.Identity, State: t.State, From: t.From}}
}

// The bounds of a batch, which is one transaction.
const (
	maxBatchFiles = 500
	maxBatchBytes = 256 << 20 // as stored
)

// A Plan is what a run has to count.
type Plan struct {
	Tasks  []Task
	Before []catalog.LogFile // logs that were counted before, and have not changed
}

// NewPlan lists logs and compares them with the marks of the catalog. run is the name of the run, which begins those of its batches.
func NewPlan(ctx context.Context, db *catalogdb.DB, logs []string, run string) (Plan, error) {
	var all []Log
	for _, name := range logs {
		some, err := list(ctx, name)
		if err != nil {
			return Plan{}, err
		}
		all = append(all, some...)
	}
	all = unique(all)
	files := make([]catalog.LogFile, len(all))
	for i, l := range all {
		files[i] = l.File
	}
	marks, err := db.LogMarks(ctx, files)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	batch, n, size := 0, 0, int64(0)
	for _, l := range all {
		mark, counted := marks[catalog.LogFile{Source: l.File.Source, Identity: l.File.Identity}]
		if counted && mark.State == l.File.State {
			p.Before = append(p.Before, mark)
			continue
		}
		if n == maxBatchFiles || n > 0 && size+l.Size > maxBatchBytes {
			batch, n, size = batch+1, 0, 0
		}
		n, size = n+1, size+l.Size
		p.Tasks = append(p.Tasks, Task{
			Batch: fmt.Sprintf("%s/%06d", run, batch), Store: l.Store, Name: l.Name, Source: l.File.Source, Identity: l.File.Identity, State: l.File.State,
			From: mark.Counted, Size: l.Size, Grows: l.Grows,
		})
	}
	return p, nil
}

func list(ctx context.Context, logs string) ([]Log, error) {
	s, err := OpenStore(ctx, logs)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.List(ctx)
}

// unique leaves out logs that are there twice: under two patterns, or while a server compresses one. Of a log and its compressed
// copy, the larger one is counted.
func unique(all []Log) []Log {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Log) int {
		return cmp.Or(cmp.Compare(a.File.Source, b.File.Source), cmp.Compare(a.File.Identity, b.File.Identity), cmp.Compare(b.Size, a.Size))
	})
	return slices.CompactFunc(all, func(a, b Log) bool { return a.File.Source == b.File.Source && a.File.Identity == b.File.Identity })
}
