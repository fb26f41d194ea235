package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// logOf returns the lines of the log of a target, as "by action target detail why job".
func logOf(t *testing.T, db *catalogdb.DB, target string, since time.Time) (lines []string) {
	t.Helper()
	to, ok := catalog.ParseTarget(target)
	if !ok {
		t.Fatal(target)
	}
	for e, err := range db.Log(t.Context(), to, since) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%s|%s", e.By, e.Action, e.Target, e.Detail, e.Why, e.Job))
	}
	return lines
}

func checkLog(t *testing.T, db *catalogdb.DB, target string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, logOf(t, db, target, time.Time{})); diff != "" {
		t.Errorf("log of %s (-want +got):\n%s", target, diff)
	}
}

func auditChanges(t *testing.T, db *catalogdb.DB) {
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "kim", Job: "https://ci/7", Why: "asked for"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.CreateRepository(ctx, catalog.Settings{Repository: tools, Visibility: catalog.Private, Tokens: []catalog.Token{{Name: "first", SHA256: "00"}}}, after(1)))
	declare(t, db, jammy) // as intake does
	_, err := db.ChangeSettings(ctx, tools, after(2*time.Second), func(s *catalog.Settings) error {
		s.Visibility, s.Tokens[0] = catalog.Public, catalog.Token{Name: "second", SHA256: "11"}
		return nil
	})
	must(err)
	activate(t, db, store(t, db, deb(jammy, "hello", "1"), "1"))
	publish(t, db, jammy, 100, start)
	w := selectorOf(deb(jammy, "hello", "1"))
	_, err = db.Yank(ctx, w, catalog.Yank{Reason: "broken", By: "lee"}, after(4*time.Second))
	must(err)
	_, err = db.Unyank(ctx, w, after(5*time.Second))
	must(err)
	_, err = db.AskReindex(ctx, []catalog.Release{jammy}, catalogdb.ReindexRequest{Source: catalogdb.FromRows}, catalogdb.Lease{}, after(6*time.Second))
	must(err)
	_, err = db.CancelReindexes(ctx, []catalog.Release{jammy}, after(7*time.Second))
	must(err)
	_, err = db.CreateAPIToken(ctx, apiToken("acme/tools", "ci", catalog.ScopePush), after(8*time.Second))
	must(err)
	_, err = db.RevokeAPIToken(ctx, catalog.Target(tools), "ci", after(9*time.Second))
	must(err)
	const who = "|asked for|https://ci/7"
	checkLog(t, db, "all",
		"kim|repo.create|acme/tools|private"+who,
		"kim|token.create|acme/tools|first: opens the repository for reading"+who,
		"|repo.declare|acme/tools/ubuntu/jammy|distribution ubuntu/jammy, component main, architecture amd64, architecture arm64||",
		"|upload|acme/tools/ubuntu/jammy|hello_1_amd64 published||",
		"kim|token.create|acme/tools|second: opens the repository for reading"+who,
		"kim|token.revoke|acme/tools|first"+who,
		"kim|repo.set|acme/tools|visibility: public, was private"+who,
		"lee|package.yank|acme/tools/ubuntu/jammy/main|hello 1 amd64|broken|https://ci/7",
		"kim|package.unyank|acme/tools/ubuntu/jammy/main|hello 1 amd64"+who,
		"kim|reindex.ask|acme/tools/ubuntu/jammy|reindex"+who,
		"kim|reindex.cancel|acme/tools/ubuntu/jammy|"+who,
		"kim|token.create|acme/tools|ci: API, push"+who,
		"kim|token.revoke|acme/tools|ci"+who,
	)
}

func auditNothing(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	activate(t, db, store(t, db, deb(jammy, "hello", "1"), "1"))
	w := selectorOf(deb(jammy, "hello", "1"))
	if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "broken"}, start); err != nil {
		t.Fatal(err)
	}
	before := logOf(t, db, "all", time.Time{})
	declare(t, db, jammy)
	if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "again"}, start); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ChangeSettings(t.Context(), tools, start, func(*catalog.Settings) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CancelReindexes(t.Context(), []catalog.Release{jammy}, start); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, logOf(t, db, "all", time.Time{})); diff != "" {
		t.Errorf("log (-before +after):\n%s", diff)
	}
}

func auditUndone(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := logOf(t, db, "all", time.Time{})
	refuse := errors.New("no")
	_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
		s.Visibility = catalog.Private
		return refuse
	})
	if !errors.Is(err, refuse) {
		t.Fatal(err)
	}
	createToken(t, db, apiToken("acme", "ci", catalog.ScopePush), start)
	again := apiToken("all", "ci", catalog.ScopePush)
	again.SHA256 = apiToken("acme", "ci").SHA256 // which no two tokens have: the transaction fails at its last statement
	if _, err := db.CreateAPIToken(t.Context(), again, start); err == nil {
		t.Fatal("two tokens have one secret")
	}
	if got := logOf(t, db, "all", time.Time{}); len(got) != len(before)+1 {
		t.Errorf("got %q, want one more than %q", got, before)
	}
}

func auditOrder(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	const each = 520 // more than a page
	var want []string
	for n := range each {
		at := after(time.Duration(n) * time.Second)
		u := catalog.Upload{Bucket: "staging", Object: fmt.Sprintf("acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwxyz~%03d.deb", n), Generation: "1"}
		token := take(t, db, u, at)
		if n == 0 {
			if err := db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.BadPath, Detail: "because"}, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range 3 { // between two uploads
		at := after(time.Duration(n)*time.Second + time.Millisecond)
		if _, err := db.AskReindex(t.Context(), []catalog.Release{jammy}, catalogdb.ReindexRequest{Source: catalogdb.FromRows, By: fmt.Sprint("u", n)}, catalogdb.Lease{}, at); err != nil {
			t.Fatal(err)
		}
	}
	for n := range each {
		end := "received||"
		if n == 0 {
			end = "rejected: bad-path: because||"
		}
		want = append(want, fmt.Sprintf("|upload|acme/tools/ubuntu/jammy|%03d.deb %s", n, end))
		if n < 3 {
			want = append(want, fmt.Sprintf("u%d|reindex.ask|acme/tools/ubuntu/jammy|reindex||", n))
		}
	}
	got := logOf(t, db, "acme/tools", after(0))
	if len(got) > 0 {
		got = got[1:] // the declaration
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got := logOf(t, db, "acme/tools", after(519*time.Second)); len(got) != 1 {
		t.Errorf("since the last upload: %q", got)
	}
}

func auditTargets(t *testing.T, db *catalogdb.DB) {
	other := jammy
	other.Repository = catalog.Repository{Owner: "acme", Name: "tools-2"}
	declare(t, db, jammy)
	declare(t, db, other)
	take(t, db, catalog.Upload{Bucket: "staging", Object: "acme/tools-2/ubuntu/jammy/a.deb", Generation: "1"}, start)
	take(t, db, catalog.Upload{Bucket: "staging", Object: "acme-2/tools/ubuntu/jammy/a.deb", Generation: "1"}, start)
	for _, target := range []string{"all", "acme", "acme/tools", "acme/tools-2", "acme-2"} {
		createToken(t, db, apiToken(target, "ci", catalog.ScopePush), after(time.Second))
	}
	for target, want := range map[string]int{"acme/tools": 4, "acme/tools-2": 5, "acme": 7, "acme-2": 3, "all": 9, "none": 1} {
		if got := logOf(t, db, target, start); len(got) != want {
			t.Errorf("%s: got %d lines, want %d: %q", target, len(got), want, got)
		}
	}
}

func auditKeys(t *testing.T, db *catalogdb.DB) {
	save := func(by string, revision int64, list string) {
		t.Helper()
		ctx := catalog.WithActor(t.Context(), catalog.Actor{User: by})
		if err := db.SaveKeyList(ctx, revision, []byte(list)); err != nil {
			t.Fatal(err)
		}
	}
	save("", 1, `{"keys":[{"fingerprint":"AA","role":"signing"}]}`)
	save("kim", 2, `{"keys":[{"fingerprint":"AA","role":"signing"},{"fingerprint":"BB","role":"standby"}]}`)
	save("", 3, `{"keys":[{"fingerprint":"AA","role":"retired","distrusted":true},{"fingerprint":"BB","role":"signing"}]}`)
	save("lee", 3, `{}`) // whose list a worker found first
	save("lee", 3, `{}`)
	save("", 2, `{}`)
	checkLog(t, db, "all",
		"|keys.change|all|list of keys 1: AA added as signing||",
		"kim|keys.change|all|list of keys 2: BB added as standby||",
		"|keys.change|all|list of keys 3: AA retired as leaked, BB signing, was standby||",
		"lee|keys.change|all|list of keys 3: AA retired as leaked, BB signing, was standby||",
	)
}

// The log names for each upload who pushed it, and not who pushed its package first.
func auditPushers(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	begin := func(generation string) (catalog.Upload, string) {
		u := uploadOf(k)
		u.Generation = generation
		return u, take(t, db, u, start)
	}
	pushedBy := func(u catalog.Upload, name string) {
		t.Helper()
		if err := db.RecordPusher(t.Context(), u, catalog.Pusher{User: name, Job: "https://ci/" + name}); err != nil {
			t.Fatal(err)
		}
	}
	claimFor := func(u catalog.Upload, name string) {
		t.Helper()
		k.Pusher = catalog.Pusher{User: name, Job: "https://ci/" + name}
		if _, _, err := db.Claim(t.Context(), k, u); err != nil {
			t.Fatal(err)
		}
	}
	first, token := begin("1")
	claimFor(first, "kim")
	claimFor(first, "kim") // after a fault
	activate(t, db, catalogdb.Stored{Upload: first, Token: token, Package: k})
	publish(t, db, jammy, 2, start)
	pushedBy(first, "late") // its outcome is there
	second, token := begin("2")
	claimFor(second, "nim") // finds the package, and makes no claim
	pushedBy(second, "lee")
	activate(t, db, catalogdb.Stored{Upload: second, Token: token, Package: k})
	third, token := begin("3")
	pushedBy(third, "mo")
	if err := db.Reject(t.Context(), third, token, catalog.Rejection{Reason: catalog.Conflict, Detail: "other bytes"}, start); err != nil {
		t.Fatal(err)
	}
	fourth, token := begin("4")
	pushedBy(fourth, strings.Repeat("ö", 2000))
	if err := db.GiveUp(t.Context(), fourth, token, "it hung", start); err != nil {
		t.Fatal(err)
	}
	begin("5")
	const of = "|upload|acme/tools/ubuntu/jammy|hello_1_amd64 "
	want := []string{
		"kim" + of + "published||https://ci/kim",
		"lee" + of + "duplicate||https://ci/lee",
		"mo" + of + "rejected: conflict: other bytes||https://ci/mo",
		strings.Repeat("ö", 127) + of + "received||https://ci/" + strings.Repeat("ö", 1018),
		of + "received||",
	}
	lines := logOf(t, db, "acme/tools", time.Time{})
	if diff := cmp.Diff(want, lines[max(0, len(lines)-len(want)):]); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// A withdrawn package that an upload has the bytes of gives the upload no pusher of its own.
func auditPushedAgain(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	k.Pusher = catalog.Pusher{User: "kim"}
	activate(t, db, store(t, db, k, "1"))
	if _, err := db.Yank(t.Context(), selectorOf(k), catalog.Yank{Reason: "r"}, start); err != nil {
		t.Fatal(err)
	}
	u := uploadOf(k)
	u.Generation = "2"
	token := take(t, db, u, start)
	if err := db.RecordPusher(t.Context(), u, catalog.Pusher{User: "lee"}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CanUnyank(t.Context(), k, u); err != nil {
		t.Fatal(err)
	}
	if err := db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.YankedIdentity}, start); err != nil {
		t.Fatal(err)
	}
	lines := logOf(t, db, "acme/tools", time.Time{})
	if got, want := lines[len(lines)-1], "lee|upload|acme/tools/ubuntu/jammy|hello_1_amd64 rejected: yanked||"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
