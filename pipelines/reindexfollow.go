package pipelines

import (
	"context"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// followPeriod is between two looks at reindexes.
const followPeriod = 200 * time.Millisecond

// FollowReindexes calls look with the latest reindexes of the releases in numbers, again and again, until each has reached its
// number ([catalogdb.DB.AskReindex]), look returns an error, or ctx ends. A release that was taken out of its repository has
// failed.
func FollowReindexes(ctx context.Context, db *catalogdb.DB, numbers map[catalog.Release]int64, look func([]catalogdb.Reindex) error) error {
	for {
		all, err := db.Reindexes(ctx)
		if err != nil {
			return err
		}
		found, left := make([]catalogdb.Reindex, 0, len(numbers)), false
		seen := map[catalog.Release]bool{}
		for _, x := range all {
			if number, wanted := numbers[x.Release]; wanted {
				found, left = append(found, x), left || x.Done < number
				seen[x.Release] = true
			}
		}
		for r, number := range numbers {
			if !seen[r] {
				gone := ReindexResult{Error: "it was taken out of the repository"}
				found = append(found, catalogdb.Reindex{Release: r, Number: number, Done: number, Outcome: catalogdb.OutcomeFailed, Result: gone.encode()})
			}
		}
		if err := look(found); err != nil || !left {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPeriod):
		}
	}
}
