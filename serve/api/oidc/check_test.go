package oidc_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/serve/api/oidc"
)

func TestCheckTrust(t *testing.T) {
	const (
		github = "https://token.actions.githubusercontent.com"
		gitlab = "https://gitlab.acme.example"
		shared = "anybody can get tokens of "
	)
	type m = map[string]string
	actions := func(name, value string) m {
		c := m{"repository_id": "424242", "repository_owner_id": "2020", "environment": "release"}
		if c[name] = value; value == "-" {
			delete(c, name)
		}
		return c
	}
	pipelines := func(name, value string) m {
		c := m{"project_id": "20", "namespace_id": "72", "ci_config_ref_uri": "gitlab.com/acme/tools//.gitlab-ci.yml@refs/tags/*"}
		if c[name] = value; value == "-" {
			delete(c, name)
		}
		return c
	}
	one := m{"project_path": "acme/tools"}
	for _, tt := range []struct {
		name, issuer, audience string
		claims                 m
		says                   string // the beginning; "" if it is safe
	}{
		{"a GitLab of a company", gitlab, audience, m{"project_path": "acme/tools", "ref_protected": "true"}, ""},
		{"one below a path, at a port", "https://acme.example:8443/gitlab", audience, one, ""},
		{"an issuer at a public address", "https://8.8.8.8", audience, one, ""},
		{"all projects of a group", gitlab, audience, m{"project_path": "acme/*", "ref": "v*"}, ""},
		{"http", "http://gitlab.acme.example", audience, one, `issuer "http://gitlab.acme.example": use its https URL`},
		{"a name alone", "gitlab.acme.example", audience, one, `issuer "gitlab.acme.example": use its https URL`},
		{"a user in the URL", "https://u:p@gitlab.acme.example", audience, one, `issuer "https://u:p@gitlab.acme.example": use its https URL`},
		{"a question in the URL", gitlab + "/?", audience, one, `issuer "https://gitlab.acme.example/?": use its https URL`},
		{"capitals", "https://GitLab.com", audience, one, `issuer "https://GitLab.com": use its https URL`},
		{"a dot behind the name", "https://gitlab.com.", audience, one, `issuer "https://gitlab.com.": use its https URL`},
		{"this machine", "https://localhost", audience, one, `issuer "https://localhost": use a name; localhost is not a public address`},
		{"this machine as an address", "https://127.0.0.1:8443", audience, one, `issuer "https://127.0.0.1:8443": use a name; 127.0.0.1 is`},
		{"this machine as IPv6", "https://[::ffff:7f00:1]", audience, one, `issuer "https://[::ffff:7f00:1]": use a name; `},
		{"a private address", "https://10.1.2.3", audience, one, `issuer "https://10.1.2.3": use a name; 10.1.2.3 is`},
		{"no audience", gitlab, "", one, `audience "": use the name of this server`},
		{"any audience", gitlab, "*", one, `audience "*": use the name of this server`},
		{"no claims", gitlab, audience, nil, "a trust needs claims, or else every job of the issuer could push"},
		{"circumstances alone", gitlab, audience, m{"ref_protected": "true", "environment": "production"}, "its claims say when a job runs, and not whose it is"},
		{"a value of nothing", gitlab, audience, m{"project_path": ""}, "claim project_path: use a value of 1 to 512 printable characters"},
		{"a value with a space behind", gitlab, audience, m{"project_path": "acme/tools "}, "claim project_path: use a value"},
		{"a value of two lines", gitlab, audience, m{"project_path": "acme\n/tools"}, "claim project_path: use a value"},
		{"a claim without a name", gitlab, audience, m{"": "x"}, `claim "": use NAME=VALUE`},
		{"the issuer as a claim", gitlab, audience, m{"iss": gitlab}, "claim iss: use --issuer"},
		{"the audience as a claim", gitlab, audience, m{"aud": audience}, "claim aud: use --audience"},
		{"an owner that only begins so", gitlab, audience, m{"project_path": "acme*/tools"}, "claim project_path=acme*/tools: write the owner out"},
		{"any owner", gitlab, audience, m{"sub": "project_path:*/tools:ref_type:branch:ref:main"}, "claim sub=project_path:*/tools:ref_type:branch:ref:main: write the owner out"},
		{"any owner of a file", gitlab, audience, m{"ci_config_ref_uri": "gitlab.acme.example/*//.gitlab-ci.yml@refs/heads/main"}, "claim ci_config_ref_uri="},
		{"a pattern of a number", gitlab, audience, m{"project_id": "2*"}, "claim project_id=2*: this claim is compared as it is"},
		{"a pattern of a truth", gitlab, audience, m{"project_path": "acme/tools", "ref_protected": "*"}, "claim ref_protected=*: this claim is compared as it is"},

		{"GitHub with an environment", github, audience, actions("environment", "release"), ""},
		{"GitHub with a workflow", github, "https://" + audience, with2(actions("environment", "-"), "workflow_ref", "acme/tools/.github/workflows/release.yml@refs/tags/*"), ""},
		{"GitHub without the repository's number", github, audience, actions("repository_id", "-"), shared},
		{"GitHub without the owner's number", github, audience, actions("repository_owner_id", "-"), shared},
		{"GitHub with any environment", github, audience, actions("environment", "*"), "every workflow of the project could push"},
		{"GitHub with an environment with an at sign", github, audience, actions("environment", "r@*"), "every workflow of the project could push"},
		{"GitHub with neither", github, audience, actions("environment", "-"), "every workflow of the project could push"},
		{"GitHub with the name of a workflow, which is free", github, audience, with2(actions("environment", "-"), "workflow", "release"), "every workflow of the project could push"},
		{"GitHub with any workflow", github, audience, with2(actions("environment", "-"), "workflow_ref", "acme/tools/.github/workflows/*@refs/heads/main"), "every workflow of the project could push"},
		{"GitHub's audience unless another is asked for", github, "https://github.com/acme", actions("environment", "release"), shared + "token.actions.githubusercontent.com, and https://github.com/acme is the audience of other services"},
		{"the audience of AWS", github, "sts.amazonaws.com", actions("environment", "release"), shared},
		{"an audience of one word", github, "sigstore", actions("environment", "release"), shared},
		{"an enterprise's issuer at GitHub", github + "/acme", audience, one, shared},

		{"gitlab.com", "https://gitlab.com", audience, pipelines("ref_protected", "true"), ""},
		{"gitlab.com without the project's number", "https://gitlab.com", audience, pipelines("project_id", "-"), shared},
		{"gitlab.com without the group's number", "https://gitlab.com", audience, pipelines("namespace_id", "-"), shared},
		{"gitlab.com with names alone", "https://gitlab.com", audience, m{"project_path": "acme/tools", "environment": "production"}, shared},
		{"gitlab.com without a file", "https://gitlab.com", audience, pipelines("ci_config_ref_uri", "-"), "every workflow of the project could push"},
		{"gitlab.com at a port", "https://gitlab.com:443", audience, one, shared},
		{"its own URL as the audience", "https://gitlab.com", "https://gitlab.com", pipelines("ref_protected", "true"), shared},
		{"Google with a subject", "https://accounts.google.com", audience, m{"sub": "112233"}, ""},
		{"Google with an address", "https://accounts.google.com", audience, m{"email": "ci@acme.iam.gserviceaccount.com"}, shared},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := oidc.CheckTrust(catalog.Trust{Owner: "acme", Name: "tools", Scope: "push", Issuer: tt.issuer, Audience: tt.audience, Claims: tt.claims})
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.says)) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	for _, tt := range []struct{ owner, name, scope, says string }{
		{"acme", "", "manage", ""},
		{"acme", "tools", "read", ""},
		{"acme", "tools", "admin", `scope "admin": use push, manage or read`},
		{"acme", "tools", "", `scope "": use push, manage or read`},
		{"", "tools", "push", "owner "},
		{"Acme", "tools", "push", `owner "Acme"`},
		{"acme", "../x", "push", "repository "},
	} {
		err := oidc.CheckTrust(catalog.Trust{Owner: tt.owner, Name: tt.name, Scope: tt.scope, Issuer: gitlab, Audience: audience, Claims: one})
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}

// with2 returns claims with one more.
func with2(c map[string]string, name, value string) map[string]string {
	c[name] = value
	return c
}
