package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

const (
	jammy   = "acme/tools/ubuntu/jammy"
	el9     = "acme/tools/el/9/x86_64"
	aarch64 = "acme/tools/el/9/aarch64"
)

var tools = catalog.Repository{Owner: "acme", Name: "tools"}

// old publishes a package of each format.
func old(s *site) error {
	s.putDEB("old")
	s.putRPM("old", "noarch")
	return s.ingest()
}

// What clients see of the old packages, and of them and more.
var (
	onlyOld    = map[string]string{jammy: "old 1.0 amd64", el9: "old 1.0-1 noarch", aarch64: "old 1.0-1 noarch"}
	onlyTwo    = map[string]string{jammy: "old 1.0 amd64", el9: "old 1.0-1 x86_64"}
	oldAndMore = map[string]string{jammy: "more 1.0 amd64, old 1.0 amd64", el9: "more 1.0-1 noarch, old 1.0-1 noarch", aarch64: "more 1.0-1 noarch, old 1.0-1 noarch"}
)

// two publishes a package of each format in one release each.
func two(s *site) error {
	s.putDEB("old")
	s.putRPM("old", "x86_64")
	return s.ingest()
}

// which names a package of one of the distributions.
func which(os, version, name, packageVersion string) catalogdb.PackageSelector {
	return catalogdb.PackageSelector{Repository: tools, Distribution: catalog.Distribution{OS: os, Version: version}, Name: name, Version: packageVersion}
}

var (
	oldDEB = which("ubuntu", "jammy", "old", "1.0")
	oldRPM = which("el", "9", "old", "1.0-1")
)

// yank withdraws the old packages and publishes.
func yank(s *site) error {
	for _, w := range []catalogdb.PackageSelector{oldDEB, oldRPM} {
		if _, err := s.Catalog.Yank(s.t.Context(), w, catalog.Yank{Reason: "bad", By: "test", At: noon}, noon); err != nil {
			return err
		}
	}
	return s.publish()
}

// unyank takes that back and publishes.
func unyank(s *site) error {
	for _, w := range []catalogdb.PackageSelector{oldDEB, oldRPM} {
		if _, err := s.Catalog.Unyank(s.t.Context(), w, noon); err != nil {
			return err
		}
	}
	return s.publish()
}

// more stages another package of each format.
func more(s *site) {
	s.putDEB("more")
	s.putRPM("more", "noarch")
}

// scenarios are all that writes to stores and catalog.
var scenarios = []scenario{
	{
		name:   "a first DEB",
		staged: func(s *site) { s.putDEB("new") },
		do:     (*site).ingest,
		want:   map[string]string{jammy: "new 1.0 amd64"},
	},
	{
		name:   "a first noarch RPM, and garbage",
		staged: func(s *site) { s.putRPM("new", "noarch"); s.put("acme/tools/el/9/garbage.rpm", []byte("garbage")) },
		do:     (*site).ingest,
		want:   map[string]string{el9: "new 1.0-1 noarch", aarch64: "new 1.0-1 noarch"},
	},
	{
		name:   "one more of each",
		before: old,
		staged: more,
		do:     (*site).ingest,
		want:   oldAndMore,
	},
	{
		name:   "several at once, and one that is there",
		before: old,
		staged: func(s *site) { s.putDEB("one"); s.putDEB("two"); s.putDEB("old") },
		do:     (*site).ingest,
		want:   map[string]string{jammy: "old 1.0 amd64, one 1.0 amd64, two 1.0 amd64"},
	},
	{
		name:   "a yank",
		before: old,
		do:     yank,
		want:   map[string]string{jammy: "", el9: "", aarch64: ""},
	},
	{
		name:   "an unyank",
		before: func(s *site) error { return errors.Join(old(s), yank(s)) },
		do:     unyank,
		want:   onlyOld,
	},
	{
		name:   "other bytes of a version, in a mutable repository",
		before: func(s *site) error { return errors.Join(makeMutable(s), old(s)) },
		staged: others,
		do:     (*site).ingest,
		want:   onlyOld,
	},
	{
		name: "the first bytes of a version again, whose files were removed",
		before: func(s *site) error {
			err := errors.Join(makeMutable(s), old(s))
			others(s)
			return errors.Join(err, s.ingest(), removeReplaced(s))
		},
		staged: func(s *site) { s.putDEB("old"); s.putRPM("old", "noarch") },
		do:     (*site).ingest,
		want:   onlyOld,
	},
	{
		name: "a reindex of what a mutable repository has published, after the catalog was lost",
		before: func(s *site) error {
			err := errors.Join(makeMutable(s), two(s))
			s.putOther("old", "x86_64")
			return errors.Join(err, s.ingest(), lose(s))
		},
		do:   rebuild,
		want: onlyTwo,
	},
	{
		name:   "a train under embargo",
		before: old,
		staged: embargoed,
		do:     publishTrain,
		want:   oldAndMore,
	},
	{
		name:   "the deletion of a distribution",
		before: old,
		do:     func(s *site) error { return errors.Join(deleteTarget(s, onlyEL9, grace), s.publish()) },
		want:   map[string]string{jammy: "old 1.0 amd64", el9: "", aarch64: ""},
	},
	{
		name:   "the removal of a deleted distribution",
		before: func(s *site) error { return errors.Join(old(s), deleteTarget(s, onlyEL9, 0), s.publish()) },
		do:     func(s *site) error { return removeTarget(s, onlyEL9) },
		want:   map[string]string{jammy: "old 1.0 amd64"},
	},
	{
		name:   "the removal of a deleted component",
		before: func(s *site) error { return errors.Join(withExtra(s), deleteTarget(s, onlyExtra, 0), s.publish()) },
		do:     func(s *site) error { return removeTarget(s, onlyExtra) },
		want:   map[string]string{jammy: "old 1.0 amd64"},
	},
	{
		name:   "settings",
		before: old,
		do:     settings,
	},
	{
		name:   "a reindex that finds something to publish",
		before: func(s *site) error { return errors.Join(old(s), unpublished(s)) },
		do:     func(s *site) error { return reindex(s, catalogdb.FromRows, false) },
		want:   map[string]string{jammy: "", el9: "", aarch64: ""},
	},
	{
		name:   "a reindex that repairs",
		before: func(s *site) error { return errors.Join(two(s), damage(s)) },
		do: func(s *site) error {
			return reindex(s, catalogdb.FromRows, true)
		},
		want:    onlyTwo,
		damaged: true,
	},
	{
		name:   "a reindex of what is published, after the catalog was lost",
		before: func(s *site) error { return errors.Join(two(s), lose(s)) },
		do:     rebuild,
		want:   onlyTwo,
	},
	{
		name:   "a sweep of staging",
		staged: finished,
		do:     clean,
		want:   map[string]string{jammy: "new 1.0 amd64"},
	},
	{
		name:   "a collection",
		before: func(s *site) error { return errors.Join(old(s), grow(s), yank(s)) },
		do:     sweepTwice,
		later:  15 * 24 * time.Hour,
		want:   map[string]string{jammy: "g1 1.0 amd64, g2 1.0 amd64, g3 1.0 amd64, g4 1.0 amd64"},
	},
}

func makeMutable(s *site) error {
	return s.Catalog.CreateRepository(s.t.Context(), catalog.Settings{Repository: tools, Mutable: true}, noon)
}

// others stages other bytes of the old packages.
func others(s *site) { s.putOther("old", "noarch") }

// removeReplaced removes the files of what was replaced, as a worker does after the retention period.
func removeReplaced(s *site) error {
	due, err := s.Catalog.DueForRemoval(s.t.Context(), time.Now().Add(time.Hour), 10)
	if err == nil && len(due) != 2 {
		err = fmt.Errorf("%d packages were replaced", len(due))
	}
	for _, k := range due {
		err = errors.Join(err, s.Catalog.Removing(s.t.Context(), k))
		for _, key := range s.filesOf(k) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, "bucket", key)))
		}
		err = errors.Join(err, s.Catalog.Removed(s.t.Context(), k))
	}
	return err
}

// filesOf returns the keys of the files of a package.
func (s *site) filesOf(k catalog.Package) []string {
	if k.Format == catalog.DEB {
		return []string{k.Key}
	}
	return []string{layout.RPMKey(k, "aarch64"), layout.RPMKey(k, "x86_64")}
}

// embargoed stages another package of each format, for a train under embargo.
func embargoed(s *site) {
	const deb, rpm = "acme/tools/ubuntu/jammy/@aaaaaaaaaaaaaaaaaaaaaaaaaa+may~more.deb", "acme/tools/el/9/@aaaaaaaaaaaaaaaaaaaaaaaaab+may~more.rpm"
	s.put(layout.EmbargoedStaging(deb), debtest.Build(s.t, debtest.Spec{Name: "more", Arch: "amd64"}))
	s.put(layout.EmbargoedStaging(rpm), rpmtest.Build(s.t, rpmtest.Spec{Name: "more", Arch: "noarch"}))
}

// publishTrain holds what is staged, publishes the train, and sweeps what a crash has left under embargo.
func publishTrain(s *site) error {
	if err := s.ingest(); err != nil {
		return err
	}
	n := catalog.TrainName{Owner: "acme", Name: "may"}
	if err := s.Catalog.AskTrain(s.t.Context(), n, catalogdb.TrainAsk{}); err != nil && !errors.Is(err, catalogdb.ErrTrainPublished) {
		return err
	}
	for pass := range 2 { // as workers do in passes: the first may have met a fault that is not reported
		t, err := s.Catalog.TrainState(s.t.Context(), n)
		if err == nil && t.State == catalog.TrainOpen {
			_, err = s.PublishTrain(s.t.Context(), n)
		}
		if err != nil {
			return fmt.Errorf("pass %d: %w", pass, err)
		}
	}
	s.clock.advance(2 * time.Hour)
	_, err := s.Collector.Sweep(s.t.Context())
	return errors.Join(err, s.publish())
}

// What is deleted.
var (
	whole     = catalog.PackageTarget{Repository: tools}
	onlyEL9   = catalog.PackageTarget{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}}
	onlyExtra = catalog.PackageTarget{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}, Component: "extra"}
)

// withExtra publishes the old packages, and one in another component.
func withExtra(s *site) error {
	if err := old(s); err != nil {
		return err
	}
	s.put(jammy+"/extra/more.deb", debtest.Build(s.t, debtest.Spec{Name: "more", Arch: "amd64"}))
	return s.ingest()
}

func deleteTarget(s *site, target catalog.PackageTarget, grace time.Duration) error {
	_, _, err := s.Catalog.Delete(s.t.Context(), target, grace, noon)
	return err
}

// removeTarget does what workers do, pass by pass, until the leases of an earlier call have ended, and nothing is left to do.
func removeTarget(s *site, target catalog.PackageTarget) error {
	ctx := s.t.Context()
	for pass := range 7 {
		now := noon.Add(time.Duration(2*pass+2) * time.Hour)
		ready, err := s.Catalog.BeginRemoval(ctx, target, time.Minute, now)
		if err == nil {
			err = errors.Join(s.Collector.RemoveUrgent(ctx), s.publish())
		}
		if ready && err == nil {
			if _, err = s.Collector.RemoveTarget(ctx, target); err == nil {
				err = s.Catalog.EndRemoval(ctx, target, noon) // at a time that is the same in a repeat
			}
		}
		if err != nil {
			return err
		}
	}
	due, err := s.Catalog.DueRemovals(ctx, noon.Add(1000*time.Hour))
	if len(due) > 0 {
		err = fmt.Errorf("left to be removed: %v", due)
	}
	return errors.Join(err, s.publish())
}

// settings makes the repository private and has the change published.
func settings(s *site) error {
	_, err := s.Catalog.ChangeSettings(s.t.Context(), tools, noon, func(c *catalog.Settings) error {
		c.Visibility = catalog.Private
		c.Tokens = []catalog.Token{{Name: "readers", SHA256: sum([]byte("secret")), Created: noon}}
		return nil
	})
	return errors.Join(err, s.publish())
}

// unpublished withdraws the old packages and leaves it to others to publish that.
func unpublished(s *site) error {
	for _, w := range []catalogdb.PackageSelector{oldDEB, oldRPM} {
		if _, err := s.Catalog.Yank(s.t.Context(), w, catalog.Yank{Reason: "bad", At: noon}, noon); err != nil {
			return err
		}
	}
	return nil
}

// damage changes an index file of each release.
func damage(s *site) error {
	for _, r := range s.releases() {
		index := filepath.Join(s.dir, "bucket", s.manifest(r.Release).Indexes[0].Key)
		if err := os.WriteFile(index, []byte("damaged"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// lose puts an empty catalog in the place of the one that there is.
func lose(s *site) error {
	s.Close()
	files, err := filepath.Glob(filepath.Join(s.dir, "catalog.db*"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	migrate(s.t, s.Config.Catalog)
	return err
}

// finished stages a package and garbage that have their verdicts.
func finished(s *site) {
	s.putDEB("new")
	s.put("acme/tools/ubuntu/jammy/garbage.deb", []byte("garbage"))
	if err := s.ingest(); err != nil {
		s.t.Fatal(err)
	}
}

// clean runs a dispatcher until it has nothing to do. Retention is over for what was finished, by a clock that is ahead.
func clean(s *site) error {
	s.Config.Retention = -time.Hour
	d := worker.Dispatcher{Resources: s.Resources, Source: mute{}, Run: runDirect, Once: true}
	return d.Serve(s.t.Context(), time.Minute)
}

// mute is a source without events.
type mute struct{}

// Receive implements queue.Source.
func (mute) Receive(ctx context.Context, _ func(queue.Event)) error { <-ctx.Done(); return nil }

// reindex regenerates all indexes. What a killed process left is ended first: else its lease is waited for.
func reindex(s *site, source catalogdb.ReindexSource, repair bool) (err error) {
	ctx := s.t.Context()
	var releases []catalog.Release
	if source == catalogdb.FromPublished {
		releases, err = s.SelectPublished(ctx, nil)
	} else {
		releases, err = pipelines.SelectReleases(ctx, s.Catalog, nil)
	}
	if err == nil {
		_, err = s.Catalog.CancelReindexes(ctx, releases, time.Now())
	}
	if err != nil {
		return err
	}
	x := pipelines.Reindexer{Resources: s.Resources, Run: runDirect, Job: pipelines.ReindexJob{Owner: "test", Parallel: 1, Silent: true}}
	want := catalogdb.ReindexRequest{Source: source, Repair: repair, By: "test"}
	if _, err := s.Catalog.AskReindex(ctx, releases, want, catalogdb.Lease{}, time.Now()); err != nil {
		return err
	}
	if err := x.Work(ctx, releases); err != nil {
		return err
	}
	all, err := s.Catalog.Reindexes(ctx)
	for _, x := range all {
		if x.Outcome == catalogdb.OutcomeFailed {
			err = errors.Join(err, fmt.Errorf("reindex of %s: %s", x.Release, x.Result))
		}
	}
	return err
}

// rebuild rebuilds rows from the published release, also from a torn pair.
func rebuild(s *site) error {
	return reindex(s, catalogdb.FromPublished, false)
}

// grow publishes a few times, so that indexes are superseded.
func grow(s *site) error {
	for _, name := range []string{"g1", "g2", "g3", "g4"} {
		s.putDEB(name)
		s.clock.advance(2 * time.Second)
		if err := s.ingest(); err != nil {
			return err
		}
	}
	return nil
}

// sweepTwice removes what was withdrawn and superseded. It takes two sweeps, an hour or more apart.
func sweepTwice(s *site) error {
	_, err := s.Collector.RemoveYanked(s.t.Context())
	for range 2 {
		_, swept := s.Collector.Sweep(s.t.Context())
		err = errors.Join(err, swept)
		s.clock.advance(61 * time.Minute)
	}
	return err
}
