package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

const (
	settingsLimit = 20 * time.Second // for the settings of one repository: the others wait for it
	maxSettings   = 8                // repositories whose settings are compared or published at the same time
)

// A SettingsImport makes sure, before an upload is judged by them, that the catalog's settings are no older than the published
// ones: a catalog that was restored or lost takes over what the bucket has. Uploads of a repository of which that cannot be said
// wait, and those of no other one.
type SettingsImport struct {
	resources *pipelines.Resources

	mu      sync.Mutex
	pending map[catalog.Repository]bool // whose settings in the catalog may be older than the published ones
}

// ImportSettings compares the settings of all repositories that the bucket has. Those that failed are tried again by
// [SettingsImport.Retry]. The error is that of reading which repositories there are.
func ImportSettings(ctx context.Context, r *pipelines.Resources) (*SettingsImport, error) {
	declared, err := tree.Repositories(ctx, r.Bucket)
	if err != nil {
		return nil, fmt.Errorf("read the published settings: %w", err)
	}
	s := &SettingsImport{resources: r, pending: map[catalog.Repository]bool{}}
	for _, repository := range declared {
		s.pending[repository] = true
	}
	s.Retry(ctx)
	return s, nil
}

// Retry compares the settings of the repositories that are pending.
func (s *SettingsImport) Retry(ctx context.Context) {
	s.mu.Lock()
	pending := slices.Collect(maps.Keys(s.pending))
	s.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(maxSettings)
	for _, repository := range pending {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { s.compare(ctx, repository); return nil })
	}
	g.Wait() //nolint:errcheck // they are logged
}

func (s *SettingsImport) compare(ctx context.Context, repository catalog.Repository) {
	ctx, cancel := context.WithTimeout(ctx, settingsLimit)
	defer cancel()
	err := s.resources.Publisher.Settings(ctx, repository)
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) { // gone from the bucket, and never here
		s.resources.Log.Error("settings not compared with the published ones: uploads of the repository wait", "repository", repository.String(), "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, repository)
}

// Pending returns an error that says why an upload has to wait, or nil if the settings by which it is judged are good.
func (s *SettingsImport) Pending(object string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repository := repositoryOf(object); s.pending[repository] {
		return fmt.Errorf("the settings of %s could not be compared with the published ones yet", repository)
	}
	return nil
}

// PublishSettings publishes the settings that are ahead of their objects. Those that cannot be published keep no other ones back.
// The error is that of reading which settings there are.
func PublishSettings(ctx context.Context, r *pipelines.Resources) error {
	repositories, err := r.Catalog.UnpublishedSettings(ctx)
	if err != nil {
		return fmt.Errorf("settings that are behind: %w", err)
	}
	publishSettingsOf(ctx, r, repositories, "settings not published; tried again soon")
	return nil
}

// catchUpSettings compares the settings that could not be compared before, and publishes those that are ahead of their objects.
func (d *Dispatcher) catchUpSettings(work context.Context) {
	d.settings.Retry(work)
	if err := PublishSettings(work, d.Resources); err != nil && work.Err() == nil {
		d.Resources.Log.Error("settings that are behind not read", "error", err)
	}
}

// publishSettingsOf publishes the settings of repositories, and logs those that it could not publish with a message.
func publishSettingsOf(ctx context.Context, r *pipelines.Resources, repositories []catalog.Repository, failed string) {
	var g errgroup.Group
	g.SetLimit(maxSettings)
	for _, repository := range repositories {
		g.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, settingsLimit)
			defer cancel()
			if err := r.Publisher.Settings(limited, repository); err != nil && ctx.Err() == nil {
				r.Log.Error(failed, "repository", repository.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
}

// repositoryOf returns the repository in a staging key, which may be any text.
func repositoryOf(object string) catalog.Repository {
	owner, rest, _ := strings.Cut(object, "/")
	name, _, _ := strings.Cut(rest, "/")
	return catalog.Repository{Owner: owner, Name: name}
}
