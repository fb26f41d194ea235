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
	"repomill/testdata/mysqltest"
)

func jobTokens(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	one, all := trust("acme", "tools", gitlab, start), trust("acme", "", gitlab, after(time.Second))
	addTrust(t, db, all)
	addTrust(t, db, one)
	token := catalog.JobToken{SHA256: strings.Repeat("a", 64), Trusts: []string{one.ID, all.ID}, Name: "oidc " + gitlab + " jöb", Job: gitlab + "/acme/tools/-/jobs/1", Expires: after(time.Hour)}
	add := func(v catalog.JobToken, now time.Time) {
		t.Helper()
		if err := db.AddJobToken(t.Context(), v, now); err != nil {
			t.Fatal(err)
		}
	}
	check := func(fact, digest string, want bool, trusts ...catalog.Trust) {
		t.Helper()
		got, opens, found, err := db.JobToken(t.Context(), digest)
		if err != nil || found != want {
			t.Errorf("%s: found %v, %v", fact, found, err)
		}
		if diff := cmp.Diff(trusts, opens); diff != "" {
			t.Errorf("%s (-want +got):\n%s", fact, diff)
		}
		if diff := cmp.Diff(token, got); want && diff != "" {
			t.Errorf("%s (-want +got):\n%s", fact, diff)
		}
	}
	add(token, start)
	add(token, start) // as a transaction whose end was not reported
	check("both trusts", token.SHA256, true, one, all)
	check("another digest", strings.Repeat("b", 64), false)
	check("no digest", "", false)
	if _, err := db.RemoveTrust(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	check("one trust was removed", token.SHA256, true, all)
	if _, err := db.RemoveTrust(t.Context(), all.ID); err != nil {
		t.Fatal(err)
	}
	check("both were", token.SHA256, true)

	long := catalog.JobToken{SHA256: "c", Trusts: []string{one.ID}, Name: strings.Repeat("ö", 2000), Job: strings.Repeat("j", 2000), Expires: after(time.Hour)}
	add(long, after(time.Hour))
	if got, _, _, err := db.JobToken(t.Context(), "c"); err != nil || got.Name != strings.Repeat("ö", 512) || len(got.Job) != 1024 {
		t.Errorf("long texts: %d and %d bytes, %v", len(got.Name), len(got.Job), err)
	}
	add(catalog.JobToken{SHA256: "d", Trusts: []string{one.ID}, Expires: after(4 * time.Hour)}, after(3*time.Hour))
	check("two hours after it expired", token.SHA256, false)
	many := catalog.JobToken{SHA256: "e", Expires: after(time.Hour)}
	for i := range 300 {
		many.Trusts = append(many.Trusts, fmt.Sprintf("%016d", i))
	}
	if err := db.AddJobToken(t.Context(), many, start); err == nil || !strings.Contains(err.Error(), "it fits 300 trusts, which is too many") {
		t.Errorf("too many trusts: %v", err)
	}
}

// Each job token is in the audit log of what it opens, with the name and the URL of the job, once.
func jobTokenRecorded(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushes, reads, all := trust("acme", "tools", gitlab, start), trust("acme", "tools", gitlab, after(time.Second)), trust("acme", "", gitlab, start)
	reads.Scope = "read"
	reads.ID = reads.Digest()
	for _, v := range []catalog.Trust{pushes, reads, all} {
		addTrust(t, db, v)
	}
	at := after(time.Minute)
	token := catalog.JobToken{SHA256: "a", Trusts: []string{pushes.ID, reads.ID, all.ID}, Name: "oidc job", Job: gitlab + "/acme/tools/-/jobs/1", Expires: after(time.Hour)}
	for range 2 { // the second as a transaction whose end was not reported
		if err := db.AddJobToken(t.Context(), token, at); err != nil {
			t.Fatal(err)
		}
	}
	none := catalog.JobToken{SHA256: "b", Trusts: []string{"gone"}, Name: "oidc job", Expires: after(time.Hour)}
	if err := db.AddJobToken(t.Context(), none, at); err != nil {
		t.Fatal(err)
	}
	const end = " until 2026-08-01 13:00:00||" + gitlab + "/acme/tools/-/jobs/1"
	want := []string{
		"oidc job|token.exchange|acme|trust " + all.ID + ": push" + end,
		"oidc job|token.exchange|acme/tools|trust " + pushes.ID + ": push, trust " + reads.ID + ": read" + end,
		"oidc job|token.exchange|all|trusts that were removed: nothing until 2026-08-01 13:00:00||",
	}
	if diff := cmp.Diff(want, logOf(t, db, "acme/tools", at)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// The database user of the API can exchange ID tokens, and neither add nor remove trusts.
func TestMySQLUserThatExchanges(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	root := open(t, url)
	declare(t, root, jammy)
	v := trust("acme", "tools", gitlab, start)
	addTrust(t, root, v)
	_, rest, _ := strings.Cut(url, "root@")
	name := rest[strings.IndexByte(rest, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	s.Exec(t, "CREATE USER exchange@localhost", "GRANT SELECT ON "+name+".* TO exchange@localhost",
		"GRANT INSERT, DELETE ON "+name+".trust_uses TO exchange@localhost", "GRANT INSERT, DELETE ON "+name+".job_tokens TO exchange@localhost",
		"GRANT INSERT ON "+name+".audit TO exchange@localhost")
	db := open(t, strings.Replace(url, "root@", "exchange@", 1))
	if err := db.UseIDToken(t.Context(), gitlab, "a", after(time.Minute), start); err != nil {
		t.Error(err)
	}
	if err := db.AddJobToken(t.Context(), catalog.JobToken{SHA256: "a", Trusts: []string{v.ID}, Expires: after(time.Hour)}, start); err != nil {
		t.Error(err)
	}
	if _, opens, found, err := db.JobToken(t.Context(), "a"); err != nil || !found || len(opens) != 1 {
		t.Errorf("found %v with %d trusts, %v", found, len(opens), err)
	}
	if _, err := db.RemoveTrust(t.Context(), v.ID); err == nil || errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("it removes trusts: %v", err)
	}
	if err := db.AddTrust(t.Context(), trust("acme", "", gitlab, start)); err == nil {
		t.Error("it adds trusts")
	}
}
