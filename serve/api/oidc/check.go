package oidc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

var claimName = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}\z`)

// maxText bounds issuers, audiences and patterns, in bytes.
const maxText = 512

// pathClaims name projects and owners. A * in one matches only behind this many slashes, that is behind the owner:
// the name acme-evil begins with acme, too.
var pathClaims = map[string]int{
	"sub": 1, "project_path": 1, "namespace_path": 1, "job_project_path": 1, "job_namespace_path": 1,
	"repository": 1, "workflow_ref": 1, "job_workflow_ref": 1, "ci_config_ref_uri": 2, // the host comes first
}

// freeClaims may have a * anywhere.
var freeClaims = []string{"ref", "ref_path", "environment"}

// circumstances are claims that say when and how a job runs, and not whose it is.
var circumstances = []string{
	"ref", "ref_path", "ref_type", "ref_protected", "base_ref", "head_ref", "environment", "environment_protected", "environment_action",
	"deployment_tier", "event_name", "pipeline_source", "job_source", "workflow", "runner_environment", "runner_id", "project_visibility",
	"repository_visibility", "run_attempt", "actor", "user_login", "user_access_level",
}

// elsewhere are claims that no pattern is for.
var elsewhere = map[string]string{
	"iss": "use --issuer", "aud": "use --audience", "exp": "it is always checked", "nbf": "it is always checked",
	"iat": "it differs in each token", "jti": "it differs in each token",
}

// CheckTrust returns a sentence that says what is wrong with a trust that is to be added; nil if it is safe.
func CheckTrust(t catalog.Trust) error {
	if err := checkTarget(t); err != nil {
		return err
	}
	issuer, err := checkIssuer(t.Issuer)
	if err != nil {
		return err
	}
	if !plainText(t.Audience) || strings.Contains(t.Audience, "*") {
		return fmt.Errorf("audience %q: use the name of this server, such as packages.acme.example, and the same in the CI job", t.Audience)
	}
	if len(t.Claims) == 0 {
		return errors.New("a trust needs claims, or else every job of the issuer could push: use for example --claim project_path=acme/tools")
	}
	whose := false
	for _, name := range slices.Sorted(maps.Keys(t.Claims)) {
		if err := checkClaim(name, t.Claims[name]); err != nil {
			return err
		}
		whose = whose || !slices.Contains(circumstances, name)
	}
	if !whose {
		return errors.New("its claims say when a job runs, and not whose it is: add for example --claim project_path=acme/tools")
	}
	return checkShared(issuer, t)
}

func checkTarget(t catalog.Trust) error {
	r := catalog.Repository{Owner: t.Owner, Name: t.Name}
	if t.Name == "" {
		r.Name = "any"
	}
	if rej := layout.CheckRepository(r); rej != nil {
		return errors.New(rej.Detail)
	}
	if !slices.Contains([]api.Right{api.Read, api.Push, api.Manage}, api.Right(t.Scope)) {
		return fmt.Errorf("scope %q: use push, manage or read", t.Scope)
	}
	return nil
}

// checkIssuer parses the URL of an issuer: https, and not of an address that is never public.
func checkIssuer(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(raw, "?#") || !plainText(raw) ||
		u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), ".") {
		return nil, fmt.Errorf("issuer %q: use its https URL as in the claim iss, such as https://gitlab.acme.example", raw)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !public(a) || u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost") {
		return nil, fmt.Errorf("issuer %q: use a name; %s is not a public address", raw, u.Hostname())
	}
	return u, nil
}

func checkClaim(name, pattern string) error {
	if !claimName.MatchString(name) {
		return fmt.Errorf("claim %q: use NAME=VALUE with the name of a claim, such as project_path=acme/tools", name)
	}
	if why, ok := elsewhere[name]; ok {
		return fmt.Errorf("claim %s: %s", name, why)
	}
	if !plainText(pattern) {
		return fmt.Errorf("claim %s: use a value of 1 to %d printable characters; an empty one matches nothing", name, maxText)
	}
	before, _, isPattern := strings.Cut(pattern, "*")
	switch slashes, isPath := pathClaims[name]; {
	case !isPattern, slices.Contains(freeClaims, name):
		return nil
	case !isPath:
		return fmt.Errorf("claim %s=%s: this claim is compared as it is; write the value out (a * is for %s)", name, pattern,
			strings.Join(slices.Sorted(maps.Keys(patternClaims())), ", "))
	case strings.Count(before, "/") < slashes:
		return fmt.Errorf("claim %s=%s: write the owner out; a * before it would also match owners that others register", name, pattern)
	}
	return nil
}

func patternClaims() map[string]int {
	all := maps.Clone(pathClaims)
	for _, name := range freeClaims {
		all[name] = 0
	}
	return all
}

// plainText reports whether a text is what people write on a command line: printable, without spaces around it.
func plainText(s string) bool {
	return s != "" && len(s) <= maxText && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
