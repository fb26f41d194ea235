package catalogdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// apiToken returns a token of the API whose digest is made of its name and target.
func apiToken(target, name string, scopes ...catalog.Scope) catalog.APIToken {
	to, ok := catalog.ParseTarget(target)
	if !ok {
		panic(target)
	}
	return catalog.APIToken{Name: name, Target: to, Scopes: scopes, SHA256: file(target + name).SHA256}
}

func createToken(t *testing.T, db *catalogdb.DB, token catalog.APIToken, now time.Time) catalog.APIToken {
	t.Helper()
	made, err := db.CreateAPIToken(t.Context(), token, now)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// lookUp returns the token with a digest, which has to be there.
func lookUp(t *testing.T, db *catalogdb.DB, digest string) catalog.APIToken {
	t.Helper()
	got, found, err := db.APITokenByDigest(t.Context(), digest)
	if err != nil || !found {
		t.Fatalf("got %v, %v", found, err)
	}
	return got
}

func apiTokenFound(t *testing.T, db *catalogdb.DB) {
	want := apiToken("acme", "ci", catalog.ScopePush, catalog.ScopeManage)
	end := after(24 * time.Hour)
	want.Expires = &end
	made, err := db.CreateAPIToken(catalog.WithActor(t.Context(), catalog.Actor{User: "kim"}), want, start)
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == "" || made.Number == 0 {
		t.Errorf("made %+v: it has no ID, or no number", made)
	}
	want.ID, want.Number, want.By, want.Created = made.ID, made.Number, "kim", start
	want.Scopes = []catalog.Scope{catalog.ScopeManage, catalog.ScopePush}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, lookUp(t, db, want.SHA256)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	for _, digest := range []string{"", file("other").SHA256, strings.ToUpper(want.SHA256), want.SHA256[:63], want.SHA256 + " "} {
		if got, found, err := db.APITokenByDigest(t.Context(), digest); found || err != nil {
			t.Errorf("%q: got %+v, %v", digest, got, err)
		}
	}
}

func apiTokenTaken(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	first := createToken(t, db, apiToken("acme/tools", "ci", catalog.ScopePush), start)
	_, err := db.CreateAPIToken(t.Context(), catalog.APIToken{Name: "ci", Target: first.Target, Scopes: first.Scopes, SHA256: file("other").SHA256}, start)
	if !errors.Is(err, catalogdb.ErrExists) {
		t.Errorf("the same name: got %v", err)
	}
	createToken(t, db, apiToken("acme", "ci", catalog.ScopePush), start)
	createToken(t, db, apiToken("all", "ci", catalog.ScopePush), start)
	changeTokens(t, db, catalog.Token{Name: "reader", SHA256: "12", Created: start})
	if _, err := db.CreateAPIToken(t.Context(), apiToken("acme/tools", "reader", catalog.ScopePush), start); !errors.Is(err, catalogdb.ErrExists) {
		t.Errorf("the name of a read token: got %v", err)
	}
	for n := range 2 { // at one time
		if _, err := db.RevokeAPIToken(t.Context(), first.Target, "ci", start); err != nil {
			t.Fatal(err)
		}
		again := apiToken("acme/tools", "ci", catalog.ScopeRead)
		again.SHA256 = file(fmt.Sprint("again", n)).SHA256
		createToken(t, db, again, start)
	}
	live, err := db.APITokens(t.Context(), false)
	all, err2 := db.APITokens(t.Context(), true)
	if err := errors.Join(err, err2); err != nil || len(live) != 3 || len(all) != 5 {
		t.Errorf("got %d live tokens of %d, %v; want 3 of 5", len(live), len(all), err)
	}
}

// changeTokens makes the read tokens of acme/tools those given.
func changeTokens(t *testing.T, db *catalogdb.DB, tokens ...catalog.Token) {
	t.Helper()
	if _, err := db.ChangeSettings(t.Context(), tools, start, setTokens(tokens...)); err != nil {
		t.Fatal(err)
	}
}

func setTokens(tokens ...catalog.Token) func(*catalog.Settings) error {
	return func(s *catalog.Settings) error {
		s.Tokens = slices.Clone(tokens)
		return nil
	}
}

func apiTokenRefused(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	good := apiToken("acme/tools", "ci", catalog.ScopePush)
	for what, change := range map[string]func(*catalog.APIToken){
		"no name":              func(t *catalog.APIToken) { t.Name = "" },
		"a long name":          func(t *catalog.APIToken) { t.Name = strings.Repeat("n", 256) },
		"no digest":            func(t *catalog.APIToken) { t.SHA256 = "" },
		"no scope":             func(t *catalog.APIToken) { t.Scopes = nil },
		"a scope that is none": func(t *catalog.APIToken) { t.Scopes = []catalog.Scope{"admin"} },
		"a name without owner": func(t *catalog.APIToken) { t.Target.Owner = "" },
		"an unknown parent":    func(t *catalog.APIToken) { t.Parent = "0123456789abcdef" },
	} {
		bad := good
		change(&bad)
		_, err := db.CreateAPIToken(t.Context(), bad, start)
		if err == nil || what == "an unknown parent" && !errors.Is(err, catalogdb.ErrRevoked) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if all, err := db.APITokens(t.Context(), true); err != nil || len(all) > 0 {
		t.Errorf("got %v, %v", all, err)
	}
	createToken(t, db, apiToken("acme/tomorrow", "ci", catalog.ScopePush), start) // whose first push declares it
}

func apiTokenUsed(t *testing.T, db *catalogdb.DB) {
	token := createToken(t, db, apiToken("all", "ci", catalog.ScopePush), start)
	for _, tt := range []struct{ at, want time.Duration }{
		{time.Minute, time.Minute}, {59 * time.Minute, time.Minute}, {61 * time.Minute, 61 * time.Minute}, {30 * time.Minute, 61 * time.Minute},
	} {
		if err := db.UseAPIToken(t.Context(), token.ID, after(tt.at)); err != nil {
			t.Fatal(err)
		}
		if got := lookUp(t, db, token.SHA256).LastUsed; got == nil || !got.Equal(after(tt.want)) {
			t.Errorf("used after %s: recorded %v, want %v", tt.at, got, after(tt.want))
		}
	}
}

func apiTokenShort(t *testing.T, db *catalogdb.DB) {
	create := func(name string, life time.Duration, now time.Time) catalog.APIToken {
		t.Helper()
		token := apiToken("acme", name, catalog.ScopePush)
		if end := now.Add(life); life > 0 {
			token.Expires = &end
		}
		token.Job = "https://ci/" + name
		return createToken(t, db, token, now)
	}
	short := create("job-1", time.Hour, start)
	create("year", 365*24*time.Hour, start)
	create("two-days", 48*time.Hour, start)
	create("ever", 0, start)
	if got := lookUp(t, db, short.SHA256).Job; got != "https://ci/job-1" {
		t.Errorf("its job is %q", got)
	}
	create("job-2", time.Hour, after(7*24*time.Hour)) // when the first has ended, and not long ago
	names := func() string {
		t.Helper()
		all, err := db.APITokens(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		return tokenNames(all)
	}
	if got := names(); got != "ever job-1 job-2 two-days year" {
		t.Errorf("after a week: %s", got)
	}
	create("week", 7*24*time.Hour, after(30*24*time.Hour))
	create("job-3", time.Hour, after(8*24*time.Hour))
	if got := names(); got != "ever job-2 job-3 two-days week year" {
		t.Errorf("after that: %s", got)
	}
}

func apiTokenRevoked(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	master := createToken(t, db, apiToken("acme", "master", catalog.ScopeTokens), start)
	child, other := apiToken("acme/tools", "child", catalog.ScopeRead), apiToken("acme/tools", "other", catalog.ScopeRead)
	child.Parent = master.ID
	child = createToken(t, db, child, start)
	createToken(t, db, other, start)
	changeTokens(t, db, catalog.Token{Name: "host-1", SHA256: "11", Parent: master.ID}, catalog.Token{Name: "host-2", SHA256: "22", Parent: child.ID},
		catalog.Token{Name: "kept", SHA256: "33"})
	before, err := db.Settings(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := db.RevokeAPIToken(t.Context(), master.Target, "master", after(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if names := tokenNames(gone.Tokens); names != "master child" || len(gone.Settings) != 1 || !slices.Equal(gone.Digests, []string{"11", "22"}) {
		t.Errorf("revoked %s, %+v and %v", names, gone.Settings, gone.Digests)
	}
	now, err := db.Settings(t.Context(), tools)
	if err != nil || len(now.Tokens) != 1 || now.Tokens[0].Name != "kept" || now.Revision.Number != before.Revision.Number+1 {
		t.Errorf("got %+v, %v", now, err)
	}
	if diff := cmp.Diff(gone.Settings[0], now); diff != "" {
		t.Errorf("settings (-returned +stored):\n%s", diff)
	}
	for _, token := range []catalog.APIToken{master, child} {
		if got := lookUp(t, db, token.SHA256).Revoked; got == nil || !got.Equal(after(time.Hour)) {
			t.Errorf("%s: revoked at %v", token.Name, got)
		}
	}
	if live, err := db.APITokens(t.Context(), false); err != nil || tokenNames(live) != "other" {
		t.Errorf("left: %v, %v", tokenNames(live), err)
	}
	if _, err := db.RevokeAPIToken(t.Context(), master.Target, "master", start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("revoked again: %v", err)
	}
}

func tokenNames(tokens []catalog.APIToken) string {
	var names []string
	for _, t := range tokens {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

func apiTokenOrphans(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	master := createToken(t, db, apiToken("acme/tools", "master", catalog.ScopeTokens), start)
	if _, err := db.RevokeAPIToken(t.Context(), master.Target, "master", start); err != nil {
		t.Fatal(err)
	}
	child := apiToken("acme/tools", "child", catalog.ScopeRead)
	child.Parent = master.ID
	if _, err := db.CreateAPIToken(t.Context(), child, start); !errors.Is(err, catalogdb.ErrRevoked) {
		t.Errorf("a token of the API: got %v", err)
	}
	read := setTokens(catalog.Token{Name: "host", SHA256: "11", Parent: master.ID})
	if _, err := db.ChangeSettings(t.Context(), tools, start, read); !errors.Is(err, catalogdb.ErrRevoked) {
		t.Errorf("a read token: got %v", err)
	}
}

func apiTokenRace(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	master := createToken(t, db, apiToken("acme/tools", "master", catalog.ScopeTokens), start)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 5 {
				_, err := db.ChangeSettings(context.WithoutCancel(t.Context()), tools, start, func(s *catalog.Settings) error {
					s.Tokens = append(s.Tokens, catalog.Token{Name: fmt.Sprint("h", n, "-", i), SHA256: fmt.Sprint(n, i), Parent: master.ID})
					return nil
				})
				if err != nil && !errors.Is(err, catalogdb.ErrRevoked) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		if _, err := db.RevokeAPIToken(t.Context(), master.Target, "master", start); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if s, err := db.Settings(t.Context(), tools); err != nil || len(s.Tokens) > 0 {
		t.Errorf("left: %+v, %v", s.Tokens, err)
	}
}
