package helm_test

import (
	"strings"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// helm lint --strict accepts the values of both environments.
func TestLint(t *testing.T) {
	for _, helm := range helms {
		t.Run(helm, func(t *testing.T) {
			program := deploytest.Tool(t, helm)
			deploytest.Record(t, deploytest.Row{Files: "helm/repomill", Check: "helm lint --strict with the values of pre and ops; wrong values are refused",
				Tool: version(t, program), CannotShow: "what an API server refuses: the control plane shows it"})
			for _, values := range environments {
				if out := lint(t, helm, values); out.Code != 0 {
					t.Errorf("%s: %v", values, out)
				}
			}
			for _, tt := range mistakes {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					if helm != helms[len(helms)-1] {
						deploytest.Slow(t)
					}
					out := lint(t, helm, append([]string{"repomill/values-ops.yaml"}, tt.values...)...)
					if said := strings.ReplaceAll(out.Said(), "/", "."); out.Code == 0 || !strings.Contains(said, tt.says) {
						t.Errorf("got %v\nwant a failure that says %q", out, tt.says)
					}
				})
			}
		})
	}
}

// mistakes are values that the schema refuses, on top of those of ops, and what helm says of them.
var mistakes = []struct {
	name   string
	values []string
	says   string
}{
	{"a name with a typo", []string{"--set=worker.replicaz=3"}, "replicaz"},
	{"a section with a typo", []string{"--set=resolvr.replicas=3"}, "resolvr"},
	{"an environment that does not exist", []string{"--set=environment=prod"}, "environment"},
	{"a tag without a digest in ops", []string{"--set=image.digest=,image.tag=v1"}, "image.digest"},
	{"a tag beside a digest in ops", []string{"--set=image.tag=v1"}, "image.tag"},
	{"a digest that is cut off", []string{"--set=resolverImage.digest=sha256:abc"}, "resolverImage.digest"},
	{"no image", []string{"--set=image.repository="}, "image.repository"},
	{"memory that is no quantity", []string{"--set=worker.resources.memory=2Gx"}, "worker.resources.memory"},
	{"processors that are no quantity", []string{"--set=worker.resources.cpu=two"}, "worker.resources.cpu"},
	{"no Secret with the signing key, and no KMS", []string{"--set=signing.kmsKeys=null"}, "signing.secret.name"},
	{"no Secret with the URL key", []string{"--set=urlKey.secretManager="}, "urlKey.secret.name"},
	{"no Secret with the catalog's password, and no proxy", []string{"--set=cloudSQLProxy.instance="}, "catalog.worker.passwordSecret.name"},
	{"a proxy without a digest", []string{"--set=cloudSQLProxy.image.digest="}, "cloudSQLProxy.image.digest"},
	{"a password in the URL of the catalog", []string{"--set=catalog.worker.url=mysql://mill:secret@db/repomill"}, "catalog.worker.url"},
	{"a secret in the environment", []string{"--set=worker.env.AWS_SECRET_ACCESS_KEY=abc"}, "AWS_SECRET_ACCESS_KEY"},
	{"no staging", []string{"--set=staging="}, "staging"},
	{"a bucket without a region", []string{"--set=bucket=s3://acme"}, "bucket"},
	{"clients without TLS in ops", []string{"--set=publicURL=http://packages.acme.example"}, "publicURL"},
	{"a role that is no ARN", []string{"--set=aws.roles.serve=repomill-serve"}, "aws.roles.serve"},
	{"roles without a region", []string{"--set=aws.region="}, "aws.region"},
	{"a route without a Gateway", []string{"--set=gateway.className="}, "gateway.parentRefs"},
	{"a number of replicas that is a word", []string{"--set-string=worker.replicas=four"}, "worker.replicas"},
	{"one resolver in ops", []string{"--set=resolver.autoscaling.min=1"}, "resolver.autoscaling.min"},
}

func lint(t testing.TB, helm string, values ...string) proctest.Answer {
	t.Helper()
	return proctest.Run(t, nil, deploytest.Tool(t, helm), append(arguments("lint", values...), "--strict")...)
}

// version returns the name and version of a helm.
func version(t testing.TB, helm string) string {
	t.Helper()
	return "helm " + strings.TrimSpace(proctest.Must(t, nil, helm, "version", "--template", "{{.Version}}"))
}
