package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// Hosts of issuers that anybody can get tokens of.
const (
	gitlabIssuer = "gitlab.com"
	githubIssuer = "token.actions.githubusercontent.com"
	googleIssuer = "accounts.google.com"
)

// A sharedIssuer says what a trust in an issuer needs whose tokens anybody can get.
type sharedIssuer struct {
	immutable []string // claims that stay with one owner, unlike names, which can be registered again
	workflow  []string // of these, one: it says which file or environment the job is of
}

var sharedIssuers = map[string]sharedIssuer{
	gitlabIssuer: {[]string{"project_id", "namespace_id"}, []string{"ci_config_ref_uri", "environment"}},
	githubIssuer: {[]string{"repository_id", "repository_owner_id"}, []string{"workflow_ref", "job_workflow_ref", "environment"}},
	googleIssuer: {[]string{"sub"}, nil},
}

// audiencesOfOthers are hosts and names that tokens of shared issuers are made for every day. A service that gets
// such a token could use it here.
var audiencesOfOthers = []string{
	"github.com", "gitlab.com", "googleapis.com", "google.com", "amazonaws.com", "githubusercontent.com", "azure.com", "azure.net", "microsoft.com",
	"sigstore.dev", "pypi.org", "npmjs.org", "npmjs.com", "rubygems.org", "crates.io", "nuget.org", "docker.com", "docker.io", "hashicorp.cloud",
}

// checkShared returns what a trust in a shared issuer lacks.
func checkShared(issuer *url.URL, t catalog.Trust) error {
	shared, ok := sharedIssuers[issuer.Hostname()]
	if !ok {
		return nil
	}
	for _, name := range shared.immutable {
		if strings.Contains(t.Claims[name], "*") || t.Claims[name] == "" {
			return fmt.Errorf("anybody can get tokens of %s, and names there can be registered again: add --claim %s=…, which never changes",
				issuer.Hostname(), strings.Join(shared.immutable, "=… --claim "))
		}
	}
	if err := ownAudience(t.Audience); err != nil {
		return fmt.Errorf("anybody can get tokens of %s, and %w", issuer.Hostname(), err)
	}
	if len(shared.workflow) > 0 && !slices.ContainsFunc(shared.workflow, func(name string) bool { return pinned(name, t.Claims[name]) }) {
		return fmt.Errorf("every workflow of the project could push: add --claim %s=…, with a * at most behind the @", strings.Join(shared.workflow, "=…, or "))
	}
	return nil
}

// pinned reports whether a claim says which file, with a * in its ref alone, or which environment.
func pinned(name, pattern string) bool {
	fixed := pattern
	if name != "environment" {
		fixed, _, _ = strings.Cut(pattern, "@")
	}
	return fixed != "" && !strings.Contains(fixed, "*")
}

// ownAudience reports why an audience is not one of this server alone.
func ownAudience(audience string) error {
	host := audience
	if u, err := url.Parse(audience); err == nil && u.Host != "" {
		host = u.Hostname()
	}
	host = strings.ToLower(host)
	if host, _, _ = strings.Cut(host, "/"); !strings.Contains(strings.Trim(host, "."), ".") {
		return errors.New("other services may ask for that audience: use the name of this server, such as packages.acme.example")
	}
	for _, other := range audiencesOfOthers {
		if host == other || strings.HasSuffix(host, "."+other) {
			return fmt.Errorf("%s is the audience of other services: use the name of this server, such as packages.acme.example", audience)
		}
	}
	return nil
}
