package pipelines

import (
	"fmt"

	"repomill/schemas/catalogdb"
)

// A ReindexResult is what a reindex of one release came to.
type ReindexResult struct {
	Release  string                   `json:"release"`
	Outcome  catalogdb.ReindexOutcome `json:"outcome"`
	Revision int64                    `json:"revision,omitempty"` // what clients see now
	Packages int                      `json:"packages"`
	Added    *int                     `json:"added,omitempty"`    // packages that the published indexes lack, or lacked; none if that is unknown
	Removed  *int                     `json:"removed,omitempty"`  // packages that they have, or had, beyond the rows; likewise
	Files    []string                 `json:"files,omitempty"`    // names of the index files that differ
	Bytes    int64                    `json:"bytes,omitempty"`    // of these, compressed
	Repaired int                      `json:"repaired,omitempty"` // published index files that were missing or damaged, and were written anew
	Lost     int                      `json:"lost,omitempty"`     // swaps that other publishers won
	Rows     *catalogdb.Recovered     `json:"rows,omitempty"`     // what the published indexes taught the catalog
	Seconds  float64                  `json:"seconds"`
	Error    string                   `json:"error,omitempty"` // what is wrong, and where; nothing was changed then
}

// Detail says in one line what a release came to.
func (res ReindexResult) Detail() string {
	if res.Outcome == catalogdb.OutcomeFailed {
		return res.Error
	}
	detail := fmt.Sprintf("revision %d, %s", res.Revision, Counted(res.Packages, "package"))
	switch {
	case res.Rows != nil:
		detail += fmt.Sprintf(", %s taken over, %d replaced, %d yanked", Counted(res.Rows.Inserted, "row"), res.Rows.Replaced, res.Rows.Yanked)
	case res.Outcome != catalogdb.OutcomeIdentical && res.Added != nil:
		detail += fmt.Sprintf(", %d added, %d removed", *res.Added, *res.Removed)
	}
	if res.Repaired > 0 {
		detail += ", " + Counted(res.Repaired, "index file") + " written anew"
	}
	return detail
}

// Counted returns a number with a noun that takes an s, such as "1 package" or "2 packages".
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
