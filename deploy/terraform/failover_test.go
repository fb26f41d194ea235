package terraform_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/deploytest"
)

// placed is what an environment says of its two buckets.
type placed struct {
	Worker, Resolver, Audited, TokensIn string
	Publish, Serve                      []string // the buckets in the policies of these roles
	Rules                               []string // the states of the rules of replication
}

// placedBy reads the output for the chart and the roles.
func placedBy(t *testing.T, m made) placed {
	t.Helper()
	var values struct {
		Bucket   string
		Resolver struct{ Env map[string]string }
		Audit    struct{ Replica string }
		AWS      struct{ Region string }
	}
	if err := json.Unmarshal(m.Outputs["helm_values"].Value, &values); err != nil {
		t.Fatal(err)
	}
	got := placed{Worker: values.Bucket, Resolver: values.Resolver.Env["REPOMILL_BUCKET"], Audited: values.Audit.Replica, TokensIn: values.AWS.Region}
	for role, buckets := range map[string]*[]string{"publish": &got.Publish, "serve": &got.Serve} {
		var policy struct {
			Statement []struct{ Action, Resource []string }
		}
		if err := json.Unmarshal([]byte(m.find(t, `module.federation.aws_iam_role_policy.this["`+role+`"]`).text("policy")), &policy); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, s := range policy.Statement {
			for _, arn := range s.Resource {
				if bucket, ok := strings.CutPrefix(arn, "arn:aws:s3:::"); ok {
					bucket, _, _ = strings.Cut(bucket, "/")
					found[bucket] = true
				}
			}
		}
		*buckets = slices.Sorted(maps.Keys(found))
	}
	for _, rule := range m.find(t, "module.store.aws_s3_bucket_replication_configuration.primary").Values["rule"].([]any) {
		got.Rules = append(got.Rules, rule.(map[string]any)["status"].(string))
	}
	return got
}

// The values of a fail-over lead workers, resolvers, their roles and the chart to the same bucket, one step after the other.
func TestFailOver(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{
		Files: "terraform/environments", Check: "a mocked apply with the values of each step of runbooks/drill-lose-the-region.md", Tool: version(t), CannotShow: "whether AWS changes roles and CDN while a region is lost",
	})
	const primary, replica = "s3://acme-packages-pre?region=eu-central-1", "s3://acme-packages-pre-replica?region=eu-west-1"
	steps := []struct {
		name, values string
		want         placed
	}{
		{"serve", `pointers_from = "replica"`, placed{
			Worker: primary, Resolver: replica, Audited: replica, TokensIn: "eu-west-1",
			Publish: []string{"acme-packages-pre"}, Serve: []string{"acme-packages-pre-replica"}, Rules: []string{"Enabled"},
		}},
		{"publish", "published_from = \"replica\"\n    replication = false", placed{
			Worker: replica, Resolver: primary, TokensIn: "eu-west-1",
			Publish: []string{"acme-packages-pre-replica"}, Serve: []string{"acme-packages-pre"}, Rules: []string{"Disabled"},
		}},
		{"both", "published_from = \"replica\"\n    pointers_from = \"replica\"\n    replication = false", placed{
			Worker: replica, Resolver: replica, TokensIn: "eu-west-1",
			Publish: []string{"acme-packages-pre-replica"}, Serve: []string{"acme-packages-pre-replica"}, Rules: []string{"Disabled"},
		}},
	}
	w := environmentCopy(t, "pre", googleProviders(t))
	var runs strings.Builder
	for _, s := range steps {
		runs.WriteString("run \"" + s.name + "\" {\n  command = apply\n  variables {\n    " + s.values + "\n  }\n}\n\n")
	}
	w.edit("environments/pre/tests/environment.tftest.hcl", "run \"environment\" {\n  command = apply\n}\n", runs.String())
	states := w.applies()
	if len(states) != len(steps) {
		t.Fatalf("%d states, want %d", len(states), len(steps))
	}
	for i, s := range steps {
		if diff := cmp.Diff(s.want, placedBy(t, states[i])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}

// No provider asks a region of the buckets who it is: Terraform would not start while that one is lost.
func TestIdentityIsCheckedOutsideTheRegionsOfBuckets(t *testing.T) {
	for _, name := range environments {
		body, err := os.ReadFile("environments/" + name + "/providers.tf")
		if err != nil {
			t.Fatal(err)
		}
		if asks, set := strings.Count(string(body), "allowed_account_ids"), strings.Count(string(body), `sts_region          = "us-east-1"`); asks != 3 || set != asks {
			t.Errorf("%s: %d providers check the account, and %d do it in us-east-1", name, asks, set)
		}
	}
}
