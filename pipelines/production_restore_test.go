package pipelines_test

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

var tools = catalog.Repository{Owner: "acme", Name: "tools"}

// backUp copies a catalog, as it is at one moment, into a database of its own, and returns that one's URL.
func backUp(t *testing.T, catalogURL string) (copied string) {
	t.Helper()
	copied = mysqltest.Start(t)
	migrate(t, copied)
	from, err := url.Parse(catalogURL)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(copied)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", "root@unix("+from.Query().Get("socket")+")"+from.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := copyTables(t, db, to.Path[1:]); err != nil {
		t.Fatal(err)
	}
	return copied
}

func copyTables(t *testing.T, db *sql.DB, to string) error {
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it may be committed
	if _, err := tx.Exec("SET foreign_key_checks = 0"); err != nil {
		return err
	}
	tables, err := tablesOf(tx)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := tx.Exec("DELETE FROM " + to + "." + table); err != nil { // what the migration put there
			return err
		}
		if _, err := tx.Exec("INSERT INTO " + to + "." + table + " SELECT * FROM " + table); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func tablesOf(tx *sql.Tx) (names []string, err error) {
	rows, err := tx.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// change changes the settings of the repository.
func (s *site) change(f func(*catalog.Settings)) {
	s.t.Helper()
	if _, err := s.Catalog.ChangeSettings(s.t.Context(), tools, time.Now(), func(c *catalog.Settings) error { f(c); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

// yank withdraws a version of a package.
func (s *site) yank(r catalog.Release, name, version string) {
	s.t.Helper()
	which := catalogdb.PackageSelector{Repository: r.Repository, Distribution: r.Distribution, Name: name, Version: version}
	if _, err := s.Catalog.Yank(s.t.Context(), which, catalog.Yank{Reason: "bad", By: "test"}, time.Now()); err != nil {
		s.t.Fatal(err)
	}
}

// settled waits until everything that the catalog knows is published.
func (s *site) settled() {
	s.t.Helper()
	proctest.Eventually(s.t, "everything is published", func() bool {
		backlog, err := s.Catalog.Backlog(s.t.Context())
		releases, err2 := s.Catalog.Unpublished(s.t.Context())
		settings, err3 := s.Catalog.UnpublishedSettings(s.t.Context())
		return err == nil && err2 == nil && err3 == nil && backlog+len(releases)+len(settings) == 0
	})
}

// A published release is what clients saw of one.
type publishedRelease struct {
	manifest tree.Manifest
	indexes  map[string]string
	rows     []catalog.Package
}

func (s *site) publishedReleases() map[catalog.Release]publishedRelease {
	s.t.Helper()
	states, err := s.Catalog.Releases(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[catalog.Release]publishedRelease{}
	for _, state := range states {
		r := state.Release
		all[r] = publishedRelease{s.manifest(r), s.indexes(r), s.rows(r)}
	}
	return all
}

// The drill: after a backup, packages are pushed, some are withdrawn and a token is revoked; then the
// catalog comes back from the backup, under the newer bucket. Nothing is lost, what was withdrawn or
// revoked stays so although its file is in staging still, and no release goes back.
func TestProductionRestoredBackup(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	p := newProduction(t, s3test.Start(t))
	kept := catalog.Token{Name: "kept", SHA256: sum([]byte("kept")), Created: uploadTime()}
	revoked := catalog.Token{Name: "revoked", SHA256: sum([]byte("revoked")), Created: uploadTime()}
	rpm := func(name, arch string) catalog.Upload {
		return p.put("acme/tools/el/9/"+name+".rpm", rpmtest.Build(t, rpmtest.Spec{Name: name, Arch: arch}))
	}

	p.putDebs(jammy, "old", 2)
	rpm("old-noarch", "noarch")
	stop := p.serve(p.source(), grace)
	proctest.Eventually(t, "the old ones are there", func() bool { n, err := p.Catalog.Count(t.Context(), jammy); return err == nil && n == 2 })
	p.change(func(c *catalog.Settings) { c.Visibility, c.Tokens = catalog.Private, []catalog.Token{kept, revoked} })
	proctest.Eventually(t, "all old uploads are known", func() bool { n, err := p.Catalog.Count(t.Context(), el9); return err == nil && n == 1 })
	p.settled()
	backup := backUp(t, p.Config.Catalog)

	later := append(p.putDebs(jammy, "new", 2), rpm("new", ""), rpm("new-noarch", "noarch"))
	doomed := append(p.putDebs(jammy, "doomed", 1), rpm("doomed", ""))
	proctest.Eventually(t, "the new ones are published", func() bool { return p.allAre("published", append(later, doomed...)) })
	p.yank(jammy, "old0000", "1.0") // the backup has it
	p.yank(jammy, "doomed0000", "1.0")
	p.yank(el9, "doomed", "1.0-1")
	p.change(func(c *catalog.Settings) { c.Tokens = []catalog.Token{kept} })
	p.settled()
	wantStopped(t, stop)
	was := p.publishedReleases()

	cfg := p.Config
	cfg.Catalog = backup
	restored := openSite(t, "", cfg, runDirect)
	restored.Ingester.Now = uploadTime // or uploads that the backup does not know would have another time in RPM's indexes
	clients := []*client{restored.watchAsClient(jammy), restored.watchAsClient(el9)}
	stop = restored.serve(p.source(), grace)
	proctest.Eventually(t, "the scan has found what the backup does not know", func() bool {
		for _, u := range later { // whether before its release is recovered or after
			if state := restored.state(u); state != "published" && state != "duplicate" {
				return false
			}
		}
		return true
	})
	proctest.Eventually(t, "what was withdrawn is rejected", func() bool { return restored.allAre("rejected yanked", doomed) })
	restored.settled()
	restored.wantNothingLost(was)
	settings, err := restored.Catalog.Settings(t.Context(), tools)
	if diff := cmp.Diff([]catalog.Token{kept}, settings.Tokens); err != nil || diff != "" || settings.Visibility != catalog.Private {
		t.Errorf("the repository is %s, %v; tokens (-want +got):\n%s", settings.Visibility, err, diff)
	}
	again := restored.putDebs(jammy, "again", 1)
	proctest.Eventually(t, "a new one is published", func() bool { return restored.allAre("published", again) })
	wantStopped(t, stop)
	for _, c := range clients {
		c.stop()
	}
	restored.wantRelease(jammy, 4) // old0001, new0000, new0001, again0000
	restored.wantRelease(el9, 3)
}

// wantNothingLost compares what clients see with what they saw.
func (s *site) wantNothingLost(was map[catalog.Release]publishedRelease) {
	s.t.Helper()
	now := s.publishedReleases()
	for r, then := range was {
		if diff := cmp.Diff(then.indexes, now[r].indexes); diff != "" {
			s.t.Errorf("%s: indexes (-before +after):\n%s", r, diff)
		}
		rows := now[r].rows
		if r.Arch == "" { // the time of an upload is in no index of apt's
			for i := range min(len(rows), len(then.rows)) {
				rows[i].Uploaded = then.rows[i].Uploaded
			}
		}
		if diff := cmp.Diff(then.rows, rows); diff != "" {
			s.t.Errorf("%s: rows (-before +after):\n%s", r, diff)
		}
		before, after := then.manifest, now[r].manifest
		if after.Revision < before.Revision || after.Revision > before.Revision && !after.Date.After(before.Date) {
			s.t.Errorf("%s went from revision %d of %v to %d of %v", r, before.Revision, before.Date, after.Revision, after.Date)
		}
	}
}
