package catalogdb

import (
	"context"
	"fmt"
	"time"
)

// Clock returns what time it is in the database.
func (d *DB) Clock(ctx context.Context) (now time.Time, err error) {
	err = d.ask(ctx, func(q querier) error { return q.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)) })
	if err != nil {
		return now, fmt.Errorf("the catalog's clock: %w", err)
	}
	return now, nil
}
