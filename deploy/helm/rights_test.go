package helm_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each pod has the secrets, roles and networks that its program needs, and no other.
func TestPodsHaveTheirRightsOnly(t *testing.T) {
	type rights struct {
		Role    string   // of AWS
		Volumes []string // without folders
		Catalog string   // user
		Bucket  bool
		Account string
	}
	want := map[string]rights{
		"resolver":     {"serve", []string{"aws-token", "url-key"}, "", true, "repomill-resolver"},
		"audit":        {"verify", []string{"aws-token", "keyring"}, "", true, "repomill-audit"},
		"api":          {"", nil, "repomill-api", false, "repomill-api"},
		"worker":       {"publish", []string{"aws-token"}, "repomill-worker", true, "repomill-worker"},
		"stats":        {"stats", []string{"aws-token"}, "repomill-stats", false, "repomill-stats"},
		"migrate":      {"", nil, "repomill-worker", false, "repomill-migrate"},
		"reindex":      {"publish", []string{"aws-token"}, "repomill-worker", true, "repomill-worker"},
		"toolbox":      {"publish", []string{"aws-token", "programs"}, "repomill-worker", true, "repomill-worker"},
		"test-catalog": {"", nil, "repomill-worker", false, "repomill-worker"},
		"test-keys":    {"publish", []string{"aws-token"}, "repomill-worker", true, "repomill-worker"},
	}
	got := map[string]rights{}
	for _, m := range render(t, "helm4", "repomill/values-ops.yaml", audited) {
		p, _, ok := m.pod()
		if !ok {
			continue
		}
		env := p.Containers[0].env()
		_, user, _ := strings.Cut(env["REPOMILL_CATALOG"], "mysql://")
		user, _, _ = strings.Cut(user, "@")
		r := rights{strings.TrimPrefix(env["AWS_ROLE_ARN"], "arn:aws:iam::444455556666:role/repomill-"), nil, user, env["REPOMILL_BUCKET"] != "", p.Account}
		for _, v := range p.Volumes {
			if v["emptyDir"] == nil {
				r.Volumes = append(r.Volumes, v["name"].(string))
			}
		}
		slices.Sort(r.Volumes)
		got[strings.TrimPrefix(m.Metadata.Name, "y-repomill-")] = r
		if env["REPOMILL_SIGNING_KEY"] != "" && p.Account != "repomill-worker" {
			t.Errorf("%s has signing keys as %s", m.Metadata.Name, p.Account)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The signing keys and the URL key are in the pods that use them, from the Secrets that the values name.
func TestSecretsAreMountedWhereTheyAreUsed(t *testing.T) {
	all := render(t, "helm4", "repomill/values-ops.yaml", "--set=cloudSQLProxy.instance=,urlKey.secretManager=,urlKey.secret.name=url,signing.secret.name=keys,signing.secret.passphraseKey=words", "--set=signing.kmsKeys={gcpkms://kms/1,gcpkms://kms/2}",
		"--set=catalog.worker.passwordSecret.name=w,catalog.api.passwordSecret.name=a,catalog.stats.passwordSecret.name=s,catalog.caSecret.name=ca")
	want := map[string][]string{"keys": {"reindex", "toolbox", "worker"}, "url": {"resolver"}, "a": {"api"}, "s": {"stats"},
		"w": {"migrate", "reindex", "test-catalog", "test-keys", "toolbox", "worker"}}
	got := map[string][]string{}
	for _, m := range all {
		p, _, _ := m.pod()
		for _, v := range p.Volumes {
			if name, ok := at(v, "secret", "secretName").(string); ok && want[name] != nil {
				got[name] = append(got[name], strings.TrimPrefix(m.Metadata.Name, "y-repomill-"))
			}
		}
	}
	for _, users := range got {
		slices.Sort(users)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	env := func(kind, name string) map[string]string {
		p, _, _ := find(t, all, kind, "y-repomill-"+name).pod()
		return p.Containers[0].env()
	}
	worker := env("Deployment", "worker")
	for name, want := range map[string]string{
		"REPOMILL_SIGNING_KEY":                 "gcpkms://kms/1,gcpkms://kms/2,file:///etc/repomill/signing/signing-key.asc",
		"REPOMILL_SIGNING_KEY_PASSPHRASE_FILE": "/etc/repomill/signing/passphrases",
		"REPOMILL_CATALOG":                     "mysql://repomill-worker@127.0.0.1:3306/repomill?password-file=/etc/repomill/catalog/password&tls-ca=/etc/repomill/catalog-ca/ca.pem",
	} {
		if worker[name] != want {
			t.Errorf("%s is %s, want %s", name, worker[name], want)
		}
	}
	if got, want := env("Deployment", "resolver")["REPOMILL_KEY"], "file:///etc/repomill/url-key/url-key.pem"; got != want {
		t.Errorf("REPOMILL_KEY is %s, want %s", got, want)
	}
}

// Values of a component replace what the chart sets: so resolvers serve from the replica while workers have the primary.
func TestEnvironmentOfAComponentWins(t *testing.T) {
	all := render(t, "helm4", "repomill/values-ops.yaml", "--set=resolver.env.REPOMILL_BUCKET=s3://replica?region=eu-west-1", "--set=env.OTEL_SERVICE_NAME=mill")
	for component, want := range map[string]string{"resolver": "s3://replica?region=eu-west-1", "worker": "s3://acme-packages-ops?region=eu-central-1"} {
		p, _, _ := find(t, all, "Deployment", "y-repomill-"+component).pod()
		if env := p.Containers[0].env(); env["REPOMILL_BUCKET"] != want || env["OTEL_SERVICE_NAME"] != "mill" {
			t.Errorf("%s: %s, want %s; %s", component, env["REPOMILL_BUCKET"], want, env["OTEL_SERVICE_NAME"])
		}
	}
}

// The resolver reaches names and port 443 outside, and not the database, the metadata server or anything inside.
func TestNetworkPolicies(t *testing.T) {
	all := render(t, "helm4", "repomill/values-ops.yaml")
	egress := func(name string) string {
		body, err := json.Marshal(at(find(t, all, "NetworkPolicy", "y-repomill-"+name).raw, "spec", "egress"))
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	const inside = `"except":["10.0.0.0/8","100.64.0.0/10","169.254.0.0/16","172.16.0.0/12","192.168.0.0/16"]`
	if got := egress("resolver"); strings.Count(got, `"ports"`) != 2 || !strings.Contains(got, inside) || strings.Contains(got, "3306") || strings.Contains(got, `"port":80`) {
		t.Errorf("the resolver reaches %s", got)
	}
	for _, name := range []string{"worker", "api", "migrate"} {
		if got := egress(name); !strings.Contains(got, "169.254.169.254/32") || !strings.Contains(got, `{"port":3307}],"to":[{"ipBlock":{"cidr":"10.40.0.0/24"}}]`) {
			t.Errorf("%s reaches %s", name, got)
		}
	}
	if got := at(find(t, all, "NetworkPolicy", "y-repomill-worker").raw, "spec", "ingress").([]any); len(got) != 1 {
		t.Errorf("the worker is reached by %v", got)
	}
}

// Paths alone decide which program answers, as in nginx.conf.
func TestRoutes(t *testing.T) {
	const values = "repomill/values-ops.yaml"
	for _, tt := range []struct {
		name, set string
		tokens    any
	}{
		{"a method", "--set=gateway.tokens=method", map[string]any{"method": "POST", "path": map[string]any{"type": "PathPrefix", "value": "/install/repositories/"}}},
		{"a regular expression", "--set=gateway.tokens=regularExpression", map[string]any{"path": map[string]any{"type": "RegularExpression", "value": `/install/repositories/[^/]+/[^/]+/tokens\.text`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules := at(find(t, render(t, "helm4", values, tt.set), "HTTPRoute", "y-repomill-route").raw, "spec", "rules")
			want := []any{
				map[string]any{"matches": []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/api/"}}, tt.tokens}, "backendRefs": []any{map[string]any{"name": "y-repomill-api", "port": 80}}},
				map[string]any{"matches": []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}}, "backendRefs": []any{map[string]any{"name": "y-repomill-resolver", "port": 80}}},
			}
			if diff := cmp.Diff(any(want), rules); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("without the API all leads to the resolver", func(t *testing.T) {
		all := render(t, "helm4", values, "--set=api.enabled=false,ingress.enabled=true", "--set=ingress.hosts={a.example}")
		for _, m := range all {
			if strings.Contains(m.Metadata.Name, "-api") && m.Kind != "ServiceAccount" {
				t.Errorf("the chart has %s %s", m.Kind, m.Metadata.Name)
			}
		}
		if rules := at(find(t, all, "HTTPRoute", "y-repomill-route").raw, "spec", "rules").([]any); len(rules) != 1 {
			t.Errorf("rules: %v", rules)
		}
		if paths := at(find(t, all, "Ingress", "y-repomill-ingress").raw, "spec", "rules", 0, "http", "paths").([]any); len(paths) != 1 {
			t.Errorf("paths: %v", paths)
		}
	})
}

// The first install waits for all pods: none of them needs what only exists after it.
func TestFirstInstallWaitsForNoPublishedKey(t *testing.T) {
	for _, values := range environments {
		for _, m := range render(t, "helm4", values) {
			p, _, _ := m.pod()
			for _, v := range p.Volumes {
				if name := at(v, "configMap", "name"); name != nil {
					t.Errorf("%s: %s waits for ConfigMap %v", values, m.Metadata.Name, name)
				}
			}
		}
	}
	p, _, _ := find(t, render(t, "helm4", environments[0], audited), "Deployment", "y-repomill-audit").pod()
	if !slices.ContainsFunc(p.Volumes, func(v map[string]any) bool { return at(v, "configMap", "name") == "keyring" }) {
		t.Errorf("turned on, the audit has no keys: %v", p.Volumes)
	}
}

// The file of the driver has the mode that the driver gives: one that is stated needs a driver that sets the group, too.
func TestURLKeyFromSecretManagerStatesNoMode(t *testing.T) {
	class := find(t, render(t, "helm4", environments[1]), "SecretProviderClass", "y-repomill-url-key")
	secrets, _ := at(class.raw, "spec", "parameters", "secrets").(string)
	if !strings.Contains(secrets, "path: url-key.pem") || strings.Contains(secrets, "mode") {
		t.Errorf("the driver gets %q", secrets)
	}
}
