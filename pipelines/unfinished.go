package pipelines

import (
	"context"
	"fmt"
)

// CheckFinished returns an error that says how much is unfinished: uploads without a verdict, releases and settings
// that are not up to date.
func (r *Resources) CheckFinished(ctx context.Context) error {
	backlog, err := r.Catalog.Backlog(ctx)
	if err != nil {
		return err
	}
	behind, err := r.Catalog.Unpublished(ctx)
	if err != nil {
		return err
	}
	settings, err := r.Catalog.UnpublishedSettings(ctx)
	if err != nil {
		return err
	}
	trains, err := r.Catalog.DueTrains(ctx)
	if err != nil {
		return err
	}
	if len(trains) > 0 {
		return fmt.Errorf("release train %s is to be published and is not: repomill train show %s says why: run again", trains[0], trains[0])
	}
	if backlog == 0 && len(behind) == 0 && len(settings) == 0 {
		return nil
	}
	return fmt.Errorf("%d uploads have no verdict yet, and %d releases and the settings of %d repositories are not up to date; "+
		"the log and repomill status say why: run again", backlog, len(behind), len(settings))
}
