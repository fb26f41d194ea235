package oidc

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, value string
		want           bool
	}{
		{"main", "main", true},
		{"main", "Main", false},
		{"main", "main\n", false},
		{"", "", false},
		{"", "x", false},
		{"v*", "v1.2", true},
		{"v*", "v", false},
		{"v*", "v1/x", false},
		{"v*", "xv1", false},
		{"v*", "v1\n", false},
		{"*", "main", true},
		{"*", "", false},
		{"*", "a/b", false},
		{"acme/*", "acme/tools", true},
		{"acme/*", "acme/sub/tools", false},
		{"acme/*/*", "acme/sub/tools", true},
		{"acme/*", "acme-evil/tools", false},
		{"acme/**", "acme/ab", true},
		{"acme/**", "acme/a", false},
		{"acme/**", "acme/a/b", false},
		{"repo:acme/tools:*", "repo:acme/tools:pull_request", true},
		{"repo:acme/tools:*", "repo:acme/tools:ref:refs/heads/main", false},
		{"project_path:acme/*:ref_type:branch:ref:main", "project_path:acme/x:ref_type:tag:ref:y:ref_type:branch:ref:main", false},
		{"acme/tools/.github/workflows/*@refs/heads/main", "acme/tools/.github/workflows/x.yml@refs/heads/main", true},
		{"acme/tools/.github/workflows/*@refs/heads/main", "acme/tools/.github/workflows/x.yml@refs/heads/evil@refs/heads/main", false},
		{"a.c", "abc", false},
		{"a+(b)*", "a+(b)c", true},
		{`\Q*`, `\Qx`, true},
		{"ü*", "übung", true},
	} {
		if got := matches(tt.pattern, tt.value); got != tt.want {
			t.Errorf("%q with %q: %v", tt.pattern, tt.value, got)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		json string
		want []string
	}{
		{`"a"`, []string{"a"}},
		{` "a\u0062" `, []string{"ab"}},
		{`true`, []string{"true"}},
		{`false`, []string{"false"}},
		{`"true"`, []string{"true"}},
		{`17`, []string{"17"}},
		{`-17`, []string{"-17"}},
		{`1e3`, nil},
		{`1.0`, nil},
		{`null`, nil},
		{`{"a":"b"}`, nil},
		{`[]`, nil},
		{`["a",true,1,null,["b"],{"c":"d"}]`, []string{"a", "true", "1"}},
		{``, nil},
	} {
		if diff := cmp.Diff(tt.want, texts(json.RawMessage(tt.json))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.json, diff)
		}
	}
}

func TestParseClaims(t *testing.T) {
	for _, tt := range []struct{ payload, says string }{
		{`{"a":1,"b":{"a":2}}`, ""},
		{`{"a":1,"a":1}`, `the ID token has the claim "a" twice`},
		{`{"a":1,"\u0061":1}`, `the ID token has the claim "a" twice`},
		{`{"Iss":"x"}`, `the ID token has a claim "Iss", which may be taken for another one`},
		{`{"ſub":"x"}`, `the ID token has a claim "ſub", which may be taken for another one`},
		{`[]`, "the payload of the ID token is not a JSON object"},
		{`null`, "the payload of the ID token is not a JSON object"},
		{``, "the payload of the ID token is not a JSON object"},
		{`{"a":1}{}`, "the payload of the ID token has more than one JSON value"},
		{`{"a":1`, "EOF"},
	} {
		_, err := parseClaims([]byte(tt.payload))
		if got := errorText(err); got != tt.says {
			t.Errorf("%s: %q, want %q", tt.payload, got, tt.says)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPublic(t *testing.T) {
	for want, addresses := range map[bool]string{
		true: `8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111 64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8`,
		false: `127.0.0.1 127.9.9.9 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 0.1.2.3 224.0.0.1 255.255.255.255
			240.0.0.1 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.1 192.0.0.192
			:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 2001::1 100::1
			64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 2002:7f00:1::1 2002:a00:1::`,
	} {
		for _, s := range strings.Fields(addresses) {
			if got := public(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s: %v", s, got)
			}
		}
	}
}

func TestJobURL(t *testing.T) {
	github := claims{"repository": json.RawMessage(`"acme/tools"`), "run_id": json.RawMessage(`"17"`), "run_attempt": json.RawMessage(`"2"`)}
	gitlab := claims{"project_path": json.RawMessage(`"acme/sub/tools"`), "job_id": json.RawMessage(`"17"`)}
	for _, tt := range []struct {
		name, issuer string
		c            claims
		want         string
	}{
		{"GitHub", "https://token.actions.githubusercontent.com", github, "https://github.com/acme/tools/actions/runs/17/attempts/2"},
		{"an enterprise's issuer at GitHub", "https://token.actions.githubusercontent.com/acme", github, "https://github.com/acme/tools/actions/runs/17/attempts/2"},
		{"an enterprise at ghe.com", "https://token.actions.acme.ghe.com", github, "https://acme.ghe.com/acme/tools/actions/runs/17/attempts/2"},
		{"a server of a company", "https://github.acme.example/_services/token", github, "https://github.acme.example/acme/tools/actions/runs/17/attempts/2"},
		{"another issuer with these claims", "https://ci.acme.example", github, ""},
		{"GitLab", "https://gitlab.com", gitlab, "https://gitlab.com/acme/sub/tools/-/jobs/17"},
		{"GitLab below a path", "https://acme.example/gitlab/", gitlab, "https://acme.example/gitlab/acme/sub/tools/-/jobs/17"},
		{"a project that is not one", "https://gitlab.com", claims{"project_path": json.RawMessage(`"acme/../../x?"`), "job_id": json.RawMessage(`"17"`)}, ""},
		{"a job that is not one", "https://gitlab.com", claims{"project_path": json.RawMessage(`"acme/tools"`), "job_id": json.RawMessage(`"17#x"`)}, ""},
		{"none", "https://gitlab.com", nil, ""},
	} {
		if got := jobURL(tt.issuer, tt.c); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
