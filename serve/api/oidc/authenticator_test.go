package oidc_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

func TestAuthenticate(t *testing.T) {
	key := newRSA(t, "a")
	ci := newCI(t, key)
	gitlab := trustIn(ci.URL, map[string]string{"project_path": "acme/tools", "ref_protected": "true"})
	github := trustIn(ci.URL, map[string]string{"repository_id": "424242", "repository_owner_id": "2020", "workflow_ref": "acme/tools/.github/workflows/release.yml@refs/tags/v*"})
	owner := trustIn(ci.URL, map[string]string{"namespace_path": "acme", "groups_direct": "acme/release", "runner_id": "17"})
	owner.Name, owner.Scope = "", "manage"
	a, _ := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{gitlab, github, owner}})

	push := api.Grant{Right: api.Push, Owner: "acme", Name: "tools"}
	for _, tt := range []struct {
		name string
		v    values
		want api.Principal
	}{
		{"GitLab, by two trusts", gitlabToken(ci.URL), api.Principal{
			ID: "trust:" + gitlab.ID + "+" + owner.ID, Name: "oidc " + ci.URL + " project_path:acme/tools:ref_type:branch:ref:main",
			Job: ci.URL + "/acme/tools/-/jobs/302", Grants: []api.Grant{push, {Right: api.Manage, Owner: "acme"}}}},
		{"GitLab, in none of the groups", with(gitlabToken(ci.URL), values{"groups_direct": []string{"acme/ops"}, "job_id": "x"}), api.Principal{
			ID: "trust:" + gitlab.ID, Name: "oidc " + ci.URL + " project_path:acme/tools:ref_type:branch:ref:main", Grants: []api.Grant{push}}},
		{"a boolean for a text", with(gitlabToken(ci.URL), values{"ref_protected": true, "namespace_path": "other"}), api.Principal{
			ID: "trust:" + gitlab.ID, Name: "oidc " + ci.URL + " project_path:acme/tools:ref_type:branch:ref:main",
			Job: ci.URL + "/acme/tools/-/jobs/302", Grants: []api.Grant{push}}},
		{"an audience in a list", with(gitlabToken(ci.URL), values{"aud": []string{audience}, "namespace_path": "other"}), api.Principal{
			ID: "trust:" + gitlab.ID, Name: "oidc " + ci.URL + " project_path:acme/tools:ref_type:branch:ref:main",
			Job: ci.URL + "/acme/tools/-/jobs/302", Grants: []api.Grant{push}}},
		{"GitHub", githubToken(ci.URL), api.Principal{
			ID: "trust:" + github.ID, Name: "oidc " + ci.URL + " repo:acme/tools:environment:release", Grants: []api.Grant{push}}},
		{"a subject that would begin a line of the log", with(githubToken(ci.URL), values{"sub": "a\nb\x1b[m"}), api.Principal{
			ID: "trust:" + github.ID, Name: "oidc " + ci.URL + " a?b?[m", Grants: []api.Grant{push}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, tt.v), nil))
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	if d, f := ci.discoveries.Load(), ci.fetches.Load(); d != 1 || f != 1 {
		t.Errorf("the issuer was asked %d and %d times, want once", d, f)
	}
}

// A credential that is not an ID token, or that is of an issuer that no trust names, leads to no request.
func TestAuthenticateUnknownAtOnce(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	trusts := &fixedTrusts{all: []catalog.Trust{trustIn("https://other.example", map[string]string{"sub": "x"})}}
	a, _ := newAuthenticator(ci, trusts)
	large := with(gitlabToken(ci.URL), values{"large": string(make([]byte, 16<<10))})
	for name, credential := range map[string]string{
		"nothing":                     "",
		"a token of the catalog":      "rm_0123456789abcdef0123456789abcdef",
		"dots":                        "..",
		"three words":                 "a.b.c",
		"JSON":                        `{"payload":"e30","signatures":[]}`,
		"base64 with padding":         "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0=.AA",
		"no algorithm":                "e30.eyJpc3MiOiJ4In0.AA",
		"no issuer":                   "eyJhbGciOiJFUzI1NiJ9.e30.AA",
		"an issuer that is not one":   key.sign(t, payloadOf(t, gitlabToken(ci.URL)), nil),
		"an issuer on this machine":   key.sign(t, payloadOf(t, gitlabToken("http://127.0.0.1:1/")), nil),
		"one of more than 16 KiB":     key.sign(t, payloadOf(t, large), nil),
		"an encrypted one":            "eyJhbGciOiJFUzI1NiJ9.e30.e30.e30.e30",
		"an issuer that is an object": "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOnt9fQ.AA",
	} {
		if p, err := a.Authenticate(t.Context(), credential); err != api.ErrUnknownCredential { //nolint:errorlint // without a hint
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if n := ci.discoveries.Load(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
	trusts.err = errors.New("the catalog does not answer")
	if _, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, gitlabToken(ci.URL)), nil)); !errors.Is(err, trusts.err) || errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("without the catalog: %v", err)
	}
}

// A token that is signed as it should be, and opens nothing, is answered with the reason.
func TestAuthenticateRefusesClaims(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	trusts := &fixedTrusts{all: []catalog.Trust{
		trustIn(ci.URL, map[string]string{"project_path": "acme/tools", "ref_protected": "true", "ref": "v*"}),
		trustIn(ci.URL, map[string]string{"repository_id": "424242"}),
		trustIn(ci.URL, map[string]string{"project_path": ""}),
		trustIn(ci.URL, nil),
	}}
	a, clock := newAuthenticator(ci, trusts)
	gitlab := with(gitlabToken(ci.URL), values{"ref": "v1"})
	accepted := func() {
		t.Helper()
		if _, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, gitlab), nil)); err != nil {
			t.Error(err)
		}
	}
	accepted()
	const differs = `no trust fits the claims of this ID token (project_path:acme/tools:ref_type:branch:ref:main): an administrator sees in the log of the API which claim differs`
	for _, tt := range []struct {
		name   string
		change values
		says   string
	}{
		{"another project", values{"project_path": "acme/tools2"}, differs},
		{"a project in another case", values{"project_path": "Acme/tools"}, differs},
		{"a project that only begins so", values{"project_path": "acme/tools/x"}, differs},
		{"no project", values{"project_path": nil}, differs},
		{"an empty project", values{"project_path": ""}, differs},
		{"a branch that is not protected", values{"ref_protected": "false"}, differs},
		{"an unprotected branch as a boolean", values{"ref_protected": false}, differs},
		{"a claim in another case", values{"ref_protected": nil, "Ref_Protected": "true"}, differs},
		{"a ref of two segments", values{"ref": "v1/evil"}, differs},
		{"a ref of nothing more", values{"ref": "v"}, differs},
		{"an object for a text", values{"project_path": values{"acme/tools": "acme/tools"}}, differs},
		{"a number that is written otherwise", values{"project_path": nil, "repository_id": 424242.5}, differs},
		{"another audience", values{"aud": "other"}, `this ID token is for the audience ["other"]: ask the CI system for one whose only audience is that of the trust`},
		{"one more audience", values{"aud": []string{audience, "other"}}, `this ID token is for the audience ["packages.acme.example" "other"]: ask the CI system for one whose only audience is that of the trust`},
		{"no audience", values{"aud": nil}, `this ID token is for the audience []: ask the CI system for one whose only audience is that of the trust`},
		{"an empty audience", values{"aud": ""}, `this ID token is for the audience [""]: ask the CI system for one whose only audience is that of the trust`},
		{"no subject", values{"sub": nil}, "this ID token has no subject (claim sub)"},
		{"an event that runs foreign code", values{"event_name": "pull_request_target"},
			"this ID token is of the event pull_request_target, which runs what anybody proposes with the rights of the repository: push from another event, such as push or release"},
		{"one that has expired", values{"exp": start.Add(-time.Second).Unix()}, "this ID token expired at 2026-11-29 11:59:59 UTC: ask the CI system for another one in the job that pushes"},
		{"one without an end", values{"exp": nil}, "this ID token expired at 0001-01-01 00:00:00 UTC: ask the CI system for another one in the job that pushes"},
		{"one of the future", values{"nbf": start.Add(6 * time.Minute).Unix()},
			"this ID token is not valid: oidc: current time 2026-11-29 12:00:00 +0000 UTC before the nbf (not before) time: 2026-11-29 12:06:00 +0000 UTC"},
		{"a claim that readers may take for the audience", values{"AUD": "other"}, `the ID token has a claim "AUD", which may be taken for another one`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, with(gitlab, tt.change)), nil))
			if err == nil || err.Error() != tt.says || !errors.Is(err, api.ErrUnknownCredential) {
				t.Errorf("got %v, want %s", err, tt.says)
			}
		})
	}
	twice := `{"aud":"other",` + string(payloadOf(t, gitlab))[1:]
	if _, err := a.Authenticate(t.Context(), key.sign(t, []byte(twice), nil)); err == nil || err.Error() != `the ID token has the claim "aud" twice` {
		t.Errorf("a claim twice: %v", err)
	}
	clock.forward(time.Minute)
	accepted()
	trusts.all = trusts.all[1:]
	if _, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, gitlab), nil)); !errors.Is(err, api.ErrUnknownCredential) {
		t.Errorf("after the trust was removed: %v", err)
	}
}

// An administrator sees why a token fits no trust, in one line however many trusts there are.
func TestTheLogSaysWhatDiffers(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	var trusts fixedTrusts
	for i := range 12 {
		trusts.all = append(trusts.all, trustIn(ci.URL, map[string]string{"ref": fmt.Sprint("v", i), "ref_protected": "true"}))
	}
	trusts.all = append(trusts.all, trustIn("https://other.example", map[string]string{"sub": "x"}))
	var log bytes.Buffer
	roots := x509.NewCertPool()
	roots.AddCert(ci.Certificate())
	a := oidc.New(oidc.Config{Trusts: &trusts, Now: func() time.Time { return start }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Roots: roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	present := func(change values) error {
		_, err := a.Authenticate(t.Context(), key.sign(t, payloadOf(t, with(gitlabToken(ci.URL), change)), nil))
		return err
	}
	if err := present(values{"ref": "v7"}); err != nil || log.Len() > 0 {
		t.Errorf("one of them fits: %v, log %s", err, log.String())
	}
	if err := present(values{"ref": "x\ny", "ref_protected": false}); err == nil {
		t.Error("it opens something")
	}
	line := log.String()
	if strings.Count(line, "\n") != 1 || strings.Count(line, `: ref=\"x\\ny\"`) != 10 || !strings.Contains(line, "job="+ci.URL+"/acme/tools/-/jobs/302") ||
		!strings.Contains(line, trusts.all[0].ID+": ref=") {
		t.Errorf("log: %s", line)
	}
}
