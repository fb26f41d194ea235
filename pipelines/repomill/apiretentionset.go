package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/retention"
)

// Set implements [retention.Source].
func (a apiRetention) Set(ctx context.Context, t catalog.PackageTarget, want retention.Change, wait time.Duration) (r retention.SetResult, err error) {
	c := retainSetCmd{Newest: want.Newest, NewestPerSeries: want.NewestPerSeries, Younger: period(want.Younger), Downloaded: period(want.Downloaded), Keep: want.Keep,
		Archive: want.Archive, ToPublic: want.ToPublic, Automatic: want.Automatic, AllowShrink: want.AllowShrink, Paused: want.Paused, Off: want.Off}
	set, has, err := c.rules(t.Distribution)
	if err == nil {
		err = c.check(has)
	}
	if err == nil {
		err = c.readArchive()
	}
	if err != nil {
		return r, api.Invalid("rules", asFields(err))
	}
	was, err := a.db.Settings(ctx, t.Repository)
	if err != nil {
		return r, err
	}
	if _, is := was.Find(t.Distribution); !is && !t.Whole() {
		return r, fmt.Errorf("distribution %s: %w", t, catalog.ErrNotFound)
	}
	now, err := a.db.Clock(ctx)
	if err != nil {
		return r, err
	}
	sets, err := c.changed(was, set, has, t)
	if err != nil {
		return r, api.Conflict(asFields(err))
	}
	state, err := a.db.RetentionUnder(ctx, sets, t, now)
	if err != nil {
		return r, whileRecovering(err)
	}
	if err := pipelines.CheckRetention(state); err != nil {
		if round, is := errors.AsType[*catalogdb.RoundError](err); is { // it may name a repository that the caller knows nothing of
			return r, api.Conflict("packages would go round: the archive has archives that lead back to " + round.Archive.String())
		}
		return r, api.Conflict(asFields(err))
	}
	after, err := a.change(ctx, t, func(s *catalog.Settings) (err error) {
		s.Retention, err = c.changed(*s, set, has, t)
		return err
	})
	if err != nil {
		return r, err
	}
	r = retention.SetResult{Target: t.String(), Leave: state.Leave}
	if r.Published, err = settingsSeen(ctx, a.db, after, wait); err != nil {
		return r, err
	}
	r.Rules, err = a.Rules(ctx, t.Repository)
	return r, err
}

// change changes the settings of a repository.
func (a apiRetention) change(ctx context.Context, t catalog.PackageTarget, f func(*catalog.Settings) error) (after catalog.Settings, err error) {
	var refused error
	after, err = a.db.ChangeSettings(ctx, t.Repository, time.Now(), func(s *catalog.Settings) error { refused = f(s); return refused })
	switch {
	case refused != nil:
		return after, api.Conflict(asFields(refused))
	case errors.Is(err, catalogdb.ErrDeleted):
		return after, api.Conflict(err.Error())
	}
	return after, err
}

// settingsSeen waits until settings are published, for at most wait, and reports whether they are.
func settingsSeen(ctx context.Context, db *catalogdb.DB, s catalog.Settings, wait time.Duration) (bool, error) {
	return soonSeen(ctx, wait, func(ctx context.Context) (string, error) {
		_, published, err := db.PublishedSettings(ctx, s.Repository)
		if err != nil {
			return "", command.Fault(err)
		}
		if published < s.Revision.Number {
			return "they are not published", nil
		}
		return "", nil
	})
}

// flagName matches a flag in a sentence for those who use the command.
var flagName = regexp.MustCompile(`--([a-z]+(?:-[a-z]+)*)`)

// asFields returns a sentence about flags for those who send fields.
func asFields(err error) string {
	return flagName.ReplaceAllStringFunc(err.Error(), func(flag string) string { return strings.ReplaceAll(flag[len("--"):], "-", "_") })
}
