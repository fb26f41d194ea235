package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"repomill/publish"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// OutcomeDifferent is the outcome of a dry run that found something to change.
const OutcomeDifferent catalogdb.ReindexOutcome = "different"

// A ReindexResult is how a reindex of one release ended.
type ReindexResult struct {
	Release  string                   `json:"release"`
	Outcome  catalogdb.ReindexOutcome `json:"outcome"`
	Revision int64                    `json:"revision,omitempty"` // what clients see now
	Packages int                      `json:"packages"`
	Added    *int                     `json:"added,omitempty"`    // packages that the published indexes lack, or lacked; none if that is unknown
	Removed  *int                     `json:"removed,omitempty"`  // packages that they have, or had, beyond the rows; likewise
	Files    []string                 `json:"files,omitempty"`    // names of the index files that differ
	Bytes    int64                    `json:"bytes,omitempty"`    // of these, compressed
	Repaired int                      `json:"repaired,omitempty"` // published index files that were missing or damaged, and were written again
	Lost     int                      `json:"lost,omitempty"`     // swaps that other publishers won
	Rows     *catalogdb.Recovered     `json:"rows,omitempty"`     // what the catalog took over from the published indexes
	Seconds  float64                  `json:"seconds"`
	Error    string                   `json:"error,omitempty"` // what is wrong, and where; nothing was changed then
}

// resultOf returns the result of a reindex from rows that met no error.
func resultOf(got publish.Reindexed) ReindexResult {
	res := ReindexResult{
		Revision: got.Revision.Number, Packages: got.Packages, Files: got.Files, Bytes: got.Bytes,
		Repaired: got.Repaired, Lost: got.Lost, Outcome: catalogdb.OutcomeIdentical,
	}
	if got.Added >= 0 {
		res.Added, res.Removed = &got.Added, &got.Removed
	}
	switch {
	case got.Changed:
		res.Outcome = catalogdb.OutcomePublished
	case got.Different:
		res.Outcome = OutcomeDifferent
	}
	return res
}

// maxResultError bounds the text of an error in a result, in bytes.
const maxResultError = 4 << 10

// encode returns a result as the catalog keeps it.
func (res ReindexResult) encode() []byte {
	if len(res.Error) > maxResultError {
		res.Error = strings.ToValidUTF8(res.Error[:maxResultError], "")
	}
	b, err := json.Marshal(res)
	if err != nil {
		panic(err) // it is numbers and texts
	}
	return b
}

// ResultOf returns the result of the latest reindex of a release that ended.
func ResultOf(x catalogdb.Reindex) (ReindexResult, error) {
	var res ReindexResult
	if len(x.Result) > 0 {
		if err := json.Unmarshal(x.Result, &res); err != nil {
			return res, fmt.Errorf("the catalog's result of the reindex of %s: %w", x.Release, err)
		}
	}
	res.Release, res.Outcome = x.Release.String(), x.Outcome
	return res, nil
}

// Log logs how a reindex ended.
func (res ReindexResult) Log(ctx context.Context, log *slog.Logger) {
	level := slog.LevelInfo
	if res.Outcome == catalogdb.OutcomeFailed {
		level = slog.LevelError
	}
	log.Log(ctx, level, "reindexed", "release", res.Release, "outcome", string(res.Outcome), "revision", res.Revision,
		"packages", res.Packages, "repaired", res.Repaired, "seconds", res.Seconds, "error", res.Error)
}

// Detail says in one line how a reindex ended.
func (res ReindexResult) Detail() string {
	switch res.Outcome {
	case catalogdb.OutcomeFailed:
		return res.Error
	case catalogdb.OutcomeCancelled:
		return ""
	}
	detail := fmt.Sprintf("revision %d, %s", res.Revision, Counted(res.Packages, "package"))
	switch {
	case res.Rows != nil:
		detail += fmt.Sprintf(", %s taken over, %d replaced, %d yanked", Counted(res.Rows.Inserted, "row"), res.Rows.Replaced, res.Rows.Yanked)
	case res.Outcome != catalogdb.OutcomeIdentical && res.Added != nil:
		detail += fmt.Sprintf(", %d added, %d removed", *res.Added, *res.Removed)
	}
	if res.Repaired > 0 {
		detail += ", " + Counted(res.Repaired, "index file") + " written again"
	}
	return detail
}

// Counted is [layout.Counted].
func Counted(n int, noun string) string { return layout.Counted(n, noun) }
