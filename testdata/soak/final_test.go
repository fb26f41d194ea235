package soak_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// await waits until all uploads have their verdicts and clients see all rows, and returns how many uploads have
// none for too long.
func (k *soaking) await(t *testing.T) (lost int) {
	t.Helper()
	limit := 8 * time.Minute
	if !patient() && k.site.reclaim {
		k.reclaim(t)
		limit = 5 * time.Minute
	}
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		left, err := k.remaining(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Errorf("%s after the last kill there is something left: %.3000q", limit, left)
			break
		}
	}
	for _, u := range k.ledger.waiting() {
		if u.overwritten {
			k.ledger.settle(u, "", time.Now()) // it was never seen, or its verdict was removed
			continue
		}
		lost++
		k.judge.violated("I3", "%s has no verdict %s after it was pushed", u.Upload, time.Since(u.pushed).Round(time.Second))
	}
	return lost
}

// reclaim ends the leases of the dead, which a short soak does not wait for.
func (k *soaking) reclaim(t *testing.T) {
	t.Helper()
	var err error
	for _, d := range k.site.daemons {
		err = errors.Join(err, d.awaitReady(), d.kill())
	}
	if err == nil {
		err = k.site.catalog.EndLeases(t.Context())
	}
	for _, d := range k.site.daemons {
		err = errors.Join(err, d.start())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// remaining returns what is still to be done.
func (k *soaking) remaining(ctx context.Context) (left []string, err error) {
	for _, u := range k.ledger.waiting() {
		if u.overwritten {
			if _, err := k.site.catalog.State(ctx, u.Upload); err != nil {
				continue // no reader saw it
			}
		}
		left = append(left, u.String())
	}
	behind, err := k.site.catalog.Unpublished(ctx)
	for _, r := range behind {
		left = append(left, r.String())
	}
	backlog, failed := k.site.catalog.Backlog(ctx)
	if backlog > 0 {
		left = append(left, fmt.Sprint("a backlog of ", backlog))
	}
	return left, errors.Join(err, failed)
}

// final demands all that must hold in the end.
func (k *soaking) final(t *testing.T, r *reader) {
	t.Helper()
	time.Sleep(2 * time.Second)
	k.awaitPairs(t)
	for _, release := range allReleases {
		r.read(t.Context(), release)
		k.wantRows(t, release, r.seen[release])
	}
	r.lookAtAll(t.Context())
	k.wantVerdicts(t)
	k.wantSound(t)
	k.wantQuiet(t)
}

// awaitPairs waits for a while until what the last swap left to be written beside its pointer is there.
func (k *soaking) awaitPairs(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(busy); time.Now().Before(end); time.Sleep(time.Second) {
		torn := 0
		for _, release := range allReleases {
			if problems, err := k.checkOf(t.Context(), release, false); err != nil || len(problems) > 0 {
				torn++
			}
		}
		if torn == 0 {
			return
		}
	}
}

// wantRows demands that a release shows what was published and not withdrawn, in the catalog and to clients.
func (k *soaking) wantRows(t *testing.T, release catalog.Release, v *view) {
	t.Helper()
	want, shown, rows := map[string]string{}, map[string]string{}, map[string]string{}
	for _, u := range k.ledger.uploads {
		if u.ended == published && !u.pkg.withdrawn() && slices.Contains(u.pkg.releases, release) {
			want[u.pkg.id()] = u.sha256
		}
	}
	if v != nil {
		for id, r := range v.rows {
			shown[id] = r.sha256
		}
	}
	for p, err := range k.site.catalog.List(t.Context(), release, "") {
		if err != nil {
			t.Fatal(err)
		}
		rows[idOf(p.Distribution.String(), p.Name, p.Version, p.Arch)] = p.File.SHA256
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		k.judge.violated("I3", "%s: clients see (-want +got):\n%s", release, diff)
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		k.judge.violated("I3", "%s: the catalog has (-want +got):\n%s", release, diff)
	}
}

// wantVerdicts demands that no verdict has changed, that there is one of each upload, and that one of each race
// is published.
func (k *soaking) wantVerdicts(t *testing.T) {
	t.Helper()
	for _, u := range k.ledger.uploads {
		if u.ended == "" {
			continue // it is missed already, or was overwritten
		}
		again, err := k.verdict(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		if again != u.ended {
			k.judge.violated("I3", "%s was %s and is %q", u.Upload, u.ended, again)
		}
		if g := u.group; g != nil && u == g.members[0] {
			n := 0
			for _, m := range g.members {
				if m.ended == published {
					n++
				}
			}
			if n != 1 {
				k.judge.violated("I3", "%d of the uploads that race for %s are published, want 1", n, u.pkg.id())
			}
		}
	}
	known, err := k.site.catalog.Recent(t.Context(), "acme/tools/", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) > len(k.ledger.uploads) {
		k.judge.violated("I3", "the catalog has %d uploads; %d were pushed", len(known), len(k.ledger.uploads))
	}
}

// wantSound demands that no judge finds anything, and that a reindex would change nothing.
func (k *soaking) wantSound(t *testing.T) {
	t.Helper()
	for _, release := range allReleases {
		problems, err := k.checkOf(t.Context(), release, true)
		if err != nil || len(problems) > 0 {
			k.judge.violated("check", "%s, in the end: %v, %v", release, problems, err)
		}
	}
	for _, tree := range k.site.trees {
		k.wantWell(t, "check", tree, "--keyring", k.site.keyring)
	}
	k.wantWell(t, append([]string{"reindex", "run", "--all", "--dry-run"}, k.site.everything...)...)
}

// wantWell demands that a command ends well.
func (k *soaking) wantWell(t *testing.T, args ...string) {
	t.Helper()
	a, err := k.site.ask(0, args...)
	if err != nil {
		t.Fatal(err)
	}
	if a.Code != 0 {
		k.judge.violated("check", "in the end: %v", a)
	}
}

// wantQuiet demands that the daemons end well, and that another start of them writes nothing.
func (k *soaking) wantQuiet(t *testing.T) {
	t.Helper()
	k.awaitPages(t)
	wanted, err := k.site.catalog.CountWantedContents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]layout.Meta
	for run := range 2 {
		for _, d := range k.site.daemons {
			if run > 0 {
				if err := d.start(); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.awaitReady(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(run) * 4 * time.Second) // for its first sweeps
		for _, d := range k.site.daemons {
			if err := d.stop(); err != nil {
				t.Error(err)
			}
		}
		before, after = after, k.objectsNow(t)
		if wanted > 0 { // what a killed process was reading is read again at any moment, and pages follow
			maps.DeleteFunc(after, func(key string, _ layout.Meta) bool { return strings.Contains(key, "/p/") })
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		k.judge.violated("rerun", "another start writes (-before +after):\n%s", diff)
	}
}

// objectsNow lists the bucket.
func (k *soaking) objectsNow(t *testing.T) map[string]layout.Meta {
	t.Helper()
	all := map[string]layout.Meta{}
	err := k.site.bucket.List(t.Context(), "", func(key string, m layout.Meta) error {
		m.Now = time.Time{}
		all[key] = m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// awaitPages waits until all pages are made: they follow what is published, and the contents of DEBs follow them. What a killed process
// was reading is read again minutes later, and is not waited for: for a while nothing happens then.
func (k *soaking) awaitPages(t *testing.T) {
	t.Helper()
	const quiet = 5 * time.Second
	left, since := int64(-1), time.Now()
	for end := time.Now().Add(2 * time.Minute); time.Since(since) < quiet; time.Sleep(100 * time.Millisecond) {
		wanted, err := k.site.catalog.CountWantedContents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states, err := k.site.catalog.PageStates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		behind := slices.ContainsFunc(states, func(s catalogdb.PageState) bool { return s.Requests > 0 || s.Oldest != nil || s.Whole })
		if behind || wanted != left {
			left, since = wanted, time.Now()
		}
		if time.Now().After(end) {
			k.judge.violated("pages", "they are behind two minutes after the end: %+v", states)
			return
		}
	}
}
