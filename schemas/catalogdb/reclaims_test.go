package catalogdb_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// back wishes a package of the new place to be in its old one, and not in the new one any more.
func back(k catalog.Package) catalogdb.Wish {
	k.Repository = stable.Repository
	return catalogdb.Wish{Source: k, To: place(jammy), Withdraw: catalogdb.MovedTo + place(jammy).String()}
}

// copiedTo is copied for a copy in a repository, whose claim has to succeed.
func copiedTo(t *testing.T, db *catalogdb.DB, u catalog.Upload, k catalog.Package, r catalog.Repository) {
	t.Helper()
	token := take(t, db, u, start)
	k.Repository = r
	if holder, claimed, err := db.Claim(t.Context(), k, u); err != nil || !claimed || holder.Key != k.Key {
		t.Fatalf("claimed %v by %+v, %v", claimed, holder, err)
	}
	activate(t, db, catalogdb.Stored{Upload: u, Token: token, Package: k})
}

// What was moved moves back, also when its file was removed, and again.
func movesBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	there := k
	there.Repository = stable.Repository
	for round := range 2 {
		uploads := promote(t, db, moving(k))
		copiedTo(t, db, uploads[0], k, stable.Repository)
		publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
		finishMoves(t, db, 1)
		publish(t, db, jammy, revisionOf(t, db, jammy), after(time.Second))
		checkPackage(t, db, k, catalog.Yanked)
		checkPackage(t, db, there, catalog.Active)
		if round == 1 {
			found, err := db.Find(t.Context(), k)
			if err = errors.Join(err, db.Removing(t.Context(), found)); err != nil {
				t.Fatal(err)
			}
			uploads = promote(t, db, back(k))
			if _, _, err := db.Claim(t.Context(), k, uploads[0]); err == nil {
				t.Error("it is claimed while its file is being removed")
			}
			if err := db.Removed(t.Context(), found); err != nil {
				t.Fatal(err)
			}
		}
		uploads = promote(t, db, back(k))
		copiedTo(t, db, uploads[0], k, tools)
		publish(t, db, jammy, revisionOf(t, db, jammy), after(time.Second))
		finishMoves(t, db, 1)
		publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
		found, err := db.Find(t.Context(), k)
		if err != nil || found.State != catalog.Active || found.Yank != nil {
			t.Errorf("round %d: %s, %+v, %v", round, found.State, found.Yank, err)
		}
		checkPackage(t, db, there, catalog.Yanked)
		if n, err := db.Count(t.Context(), jammy); n != 1 || err != nil {
			t.Errorf("round %d: clients would see %d packages, %v", round, n, err)
		}
	}
	if lines := logOf(t, db, "acme/tools", start); !slices.ContainsFunc(lines, func(l string) bool {
		return l == "|package.unyank|acme/tools/ubuntu/jammy/main|hello 1 amd64|it was promoted again|"
	}) {
		t.Errorf("the log is %q", lines)
	}
}

// A promotion that is rejected after its claim leaves the package withdrawn as it was; a push of the same bytes does not bring it back.
func reclaimRejected(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	uploads := promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})
	copiedTo(t, db, uploads[0], k, stable.Repository)
	publish(t, db, stable, revisionOf(t, db, stable), start)
	there := k
	there.Repository = stable.Repository
	if _, err := db.Yank(t.Context(), catalogdb.PackageSelector{Repository: stable.Repository, Distribution: stable.Distribution, Name: "hello", Version: "1"}, catalog.Yank{Reason: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	if holder, claimed, err := db.Claim(t.Context(), there, uploadOf(there)); claimed || holder.State != catalog.Yanked || err != nil {
		t.Errorf("a push claims it: %v, %+v, %v", claimed, holder, err)
	}
	uploads = promote(t, db, catalogdb.Wish{Source: k, To: place(stable)})
	token := take(t, db, uploads[0], start)
	if _, claimed, err := db.Claim(t.Context(), there, uploads[0]); err != nil || !claimed {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	checkPackage(t, db, there, catalog.Claimed)
	if err := db.Reject(t.Context(), uploads[0], token, catalog.Rejection{Reason: catalog.BadDigest, Detail: "x"}, start); err != nil {
		t.Fatal(err)
	}
	if found, err := db.Find(t.Context(), there); err != nil || found.State != catalog.Yanked || found.Yank == nil || found.Yank.Reason != "bad" {
		t.Errorf("got %s, %+v, %v", found.State, found.Yank, err)
	}
	if due, err := db.DueForRemoval(t.Context(), after(time.Hour), 10); err != nil || len(due) > 1 {
		t.Errorf("due are %v, %v", due, err)
	}
}

// Nothing but the revocation of a token changes the settings of a deleted repository.
func deletedSettings(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	changeTokens(t, db, catalog.Token{Name: "host", SHA256: "11", Created: start}, catalog.Token{Name: "other", SHA256: "22", Created: start})
	createToken(t, db, apiToken("acme/tools", "before", catalog.ScopePush), start)
	pushAll(t, db, deb(jammy, "hello", "1"))
	deleteTools(t, db, start)
	change := func(f func(*catalog.Settings)) error {
		_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { f(s); return nil })
		return err
	}
	_, token := db.CreateAPIToken(t.Context(), apiToken("acme/tools", "ci", catalog.ScopePush), start)
	_, phased := db.AskSnapshot(context.WithoutCancel(t.Context()), catalog.Snapshot{Target: toolsTarget}, start)
	for what, err := range map[string]error{
		"visibility": change(func(s *catalog.Settings) { s.Visibility = catalog.Private }), "description": change(func(s *catalog.Settings) { s.Description = "x" }),
		"a read token": change(func(s *catalog.Settings) {
			s.Tokens = append(s.Tokens, catalog.Token{Name: "new", SHA256: "33", Created: start})
		}),
		"retention":        change(func(s *catalog.Settings) { s.Retention = []catalog.Retention{{Newest: 3}} }),
		"snapshots":        change(func(s *catalog.Settings) { s.Snapshots = &catalog.SnapshotRule{Every: catalog.Daily, Keep: 1} }),
		"a swapped token":  change(func(s *catalog.Settings) { s.Tokens = []catalog.Token{{Name: "new", SHA256: "33", Created: start}} }),
		"revoked and more": change(func(s *catalog.Settings) { s.Tokens, s.Description = s.Tokens[:1], "x" }),
		"a token":          token, "a snapshot": phased, "a trust": db.AddTrust(t.Context(), trust("acme", "tools", gitlab, start)),
	} {
		if !errors.Is(err, catalogdb.ErrDeleted) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := change(func(s *catalog.Settings) { s.Tokens = s.Tokens[:1] }); err != nil {
		t.Errorf("a token cannot be revoked: %v", err)
	}
	if err := change(func(*catalog.Settings) {}); err != nil {
		t.Errorf("no change: %v", err)
	}
	if _, err := db.RevokeAPIToken(t.Context(), catalog.Target{Owner: "acme", Name: "tools"}, "before", start); err != nil {
		t.Errorf("a token of the API cannot be revoked: %v", err)
	}
}

// What the log says of a promotion between two repositories names the other one apart.
func promotionsElsewhere(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	promote(t, db, moving(k))
	for r, other := range map[catalog.Repository]catalog.Repository{tools: stable.Repository, stable.Repository: tools} {
		entries, err := db.RecentChanges(t.Context(), r, 1)
		if err != nil || len(entries) != 1 || entries[0].Elsewhere == nil || *entries[0].Elsewhere != other {
			t.Errorf("%s: %+v, %v", r, entries, err)
		}
	}
	uploads, err := db.RecentUploads(t.Context(), stable.Repository, 5, catalog.Received)
	if err != nil || len(uploads) != 1 || uploads[0].From != tools {
		t.Errorf("got %+v, %v", uploads, err)
	}
}
