package terraform_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// invalid are faults of the module ingest that terraform validate finds.
var invalid = []fault{
	{"a typo in an argument", "events.tf", "ack_deadline_seconds       = 600\n  message_retention_duration = \"604800s\"", "ack_deadline_second        = 600\n  message_retention_duration = \"604800s\"",
		`An argument named "ack_deadline_second" is not expected here`},
	{"an argument that is missing", "identities.tf", "role   = local.roles.stage\n  member = google_service_account.api.member\n", "role   = local.roles.stage\n", `The argument "member" is required`},
	{"an attribute that does not exist", "events.tf", "topic          = google_pubsub_topic.staging.id", "topic          = google_pubsub_topic.staging.path", `no argument, nested block, or exported attribute named "path"`},
	{"a resource that is not declared", "events.tf", "google_pubsub_topic_iam_member.storage]", "google_pubsub_topic_iam_member.agent]", "has not been declared"},
	{"a value for what Google computes", "identities.tf", "  account_id   = \"repomill-api\"\n", "  account_id   = \"repomill-api\"\n  unique_id    = \"1\"\n", "unique_id"},
}

// googleModules are the modules for Google Cloud, with faults that their tests find.
var googleModules = map[string][]fault{
	"ingest": {
		{"a bucket that can be public", "main.tf", `"enforced"`, `"inherited"`, "staging can be made public"},
		{"a rule that removes uploads that wait", "main.tf", "age = var.staging_days", "age = 1", "an upload that waits could be removed"},
		{"a subscription that expires", "events.tf", "    ttl = \"\"\n  }\n\n  retry_policy", "    ttl = \"2678400s\"\n  }\n\n  retry_policy", "a subscription without traffic is removed"},
		{"slow uploads that become dead letters", "events.tf", "max_delivery_attempts = 100", "max_delivery_attempts = 5", "uploads that are only slow"},
		{"an agent that may not move dead letters", "events.tf", "role         = \"roles/pubsub.subscriber\"\n  member       = local.pubsub_agent", "role         = \"roles/pubsub.viewer\"\n  member       = local.pubsub_agent", "Pub/Sub may not move dead letters"},
		{"an API that lists uploads", "identities.tf", `["storage.objects.create", "storage.objects.get"]`, `["storage.objects.create", "storage.objects.get", "storage.objects.list"]`, "the API gets more than it needs"},
	},
	"database": {
		{"a public address", "main.tf", "ipv4_enabled       = false", "ipv4_enabled       = true", "it has a public address"},
		{"no point-in-time recovery", "main.tf", "binary_log_enabled             = true", "binary_log_enabled             = false", "seven days of point-in-time recovery"},
		{"one protection only", "main.tf", "deletion_protection_enabled = var.deletion_protection", "deletion_protection_enabled = false", "both protections"},
		{"packets that are too small", "main.tf", "64 * 1024 * 1024", "16 * 1024 * 1024", "max_allowed_packet below 64 MiB"},
		{"a user with a password", "users.tf", `type     = "CLOUD_IAM_SERVICE_ACCOUNT"`, `password = "secret"`, "a user has a password"},
	},
	"signing": {
		{"a key that only encrypts", "main.tf", `"ASYMMETRIC_SIGN"`, `"ENCRYPT_DECRYPT"`, "a key is not RSA 4096 for signatures"},
		{"a signer that administers keys", "main.tf", `"roles/cloudkms.signerVerifier"`, `"roles/cloudkms.admin"`, "not only workers sign"},
		{"a signer that anyone can be", "variables.tf", `"^serviceAccount:repomill-worker@"`, `"^serviceAccount:"`, "var.signer"},
	},
	"pipeline": {
		{"workers with public addresses", "main.tf", `"WORKER_IP_PRIVATE"`, `"WORKER_IP_PUBLIC"`, "workers have public addresses"},
		{"release managers that administer Dataflow", "identities.tf", `"dataflow.jobs.cancel",`, `"dataflow.jobs.cancel", "storage.objects.list",`, "more than launch, watch and cancel"},
		{"a firewall for all", "network.tf", "source_service_accounts = [google_service_account.dataflow.email]", `source_ranges           = ["0.0.0.0/0"]`, "workers are reached from elsewhere"},
	},
	"serve": {
		{"nodes with public addresses", "main.tf", "enable_private_nodes = true", "enable_private_nodes = false", "nodes have public addresses"},
		{"a control plane with a public address", "main.tf", "enabled = length(var.administrators) > 0", "enabled = length(var.administrators) == 0", "the control plane has a public address"},
		{"another namespace that becomes the worker", "identities.tf", "[${var.namespace}/${each.value}]", "[default/${each.value}]", "another Kubernetes service account"},
	},
	"observe": {
		{"an alert on another subscription", "main.tf", `subscription_id = \"${var.dead_subscription}\" AND`, `subscription_id = \"${var.subscription}-dead\" AND`, "there is no alert on dead letters"},
		{"an alert on a metric that does not exist", "backup.tf", "user_${replace(google_logging_metric.backups.name, \"-\", \"_\")}", "user_backups", "the alert on backups asks for another metric"},
		{"a line that no run of the statistics prints", "statistics.tf", "logs? counted,", "logs? read,", "does not count the last line of a run"},
		{"minutes for seconds", "rules.tf", "m = 60,", "m = 1,", "the policies are not the alerts of the rules"},
		{"an alert without a receiver", "uptime.tf", "  notification_channels = local.channels\n", "  notification_channels = []\n", "an alert has no receiver"},
	},
}

func TestGoogleModules(t *testing.T) {
	deploytest.Slow(t)
	p := googleProviders(t)
	for module, faults := range googleModules {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			deploytest.Record(t, deploytest.Row{
				Files: "terraform/modules/" + module, Check: "terraform validate, terraform test with a mocked provider, and faults that they have to find", Tool: version(t) + ", " + p.what,
				CannotShow: p.blind + "what Google makes of it",
			})
			w := copied(t, "modules/"+module, p.configuration)
			p.prepare(w)
			w.must("validate", "-no-color")
			if out := w.must("test", "-no-color"); !passed.MatchString(out) {
				t.Errorf("no test has run:\n%s", out)
			}
			w.findsAll(t, "modules/"+module, faults, "test")
			if module == "ingest" {
				w = copied(t, "modules/ingest", p.configuration)
				p.prepare(w)
				w.findsAll(t, "modules/ingest", invalid, "validate")
			}
		})
	}
}

// findsAll puts all the faults into the copy, and checks that one run of Terraform finds each.
func (w *workspace) findsAll(t *testing.T, folder string, faults []fault, command string) {
	t.Helper()
	for _, f := range faults {
		w.edit(filepath.Join(folder, f.file), f.old, f.text)
	}
	out, err := w.run(command, "-no-color")
	if err == nil {
		t.Errorf("terraform %s succeeds with faults", command)
	}
	flat := strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if !strings.Contains(flat, f.says) {
				t.Errorf("no %q in\n%s", f.says, out)
			}
		})
	}
}

// providers are those that Google's modules and the environments are checked with.
type providers struct {
	what          string // for the table of what was checked
	blind         string // what their kind does not find
	configuration string
	prepare       func(*workspace)
}

// googleProviders are the real ones where [mirrorVariable] names a place that has Google's, or else schemas alone. The test is
// skipped where there are neither.
func googleProviders(t testing.TB) providers {
	t.Helper()
	if dir := os.Getenv(mirrorVariable); dir != "" {
		found, err := filepath.Glob(filepath.Join(dir, "*/hashicorp/google"))
		if err != nil {
			t.Fatal(err)
		}
		if dir == "direct" || len(found) > 0 {
			return providers{"the real hashicorp/google and hashicorp/aws", "", mirrored(dir), func(w *workspace) {
				w.t.Helper()
				w.must("init", "-backend=false", "-no-color")
			}}
		}
	}
	return providers{
		"schemas of hashicorp/google and hashicorp/aws", "values that the provider itself would refuse, such as a wrong region; ", stubbed(t),
		func(w *workspace) {
			w.t.Helper()
			w.must("get", "-no-color")
		},
	}
}

// stubbed builds the provider that has schemas only, and returns the CLI configuration that uses it.
func stubbed(t testing.TB) string {
	t.Helper()
	schemas := deploytest.Schemas(t)
	dir := t.TempDir()
	for i, name := range []string{"google", "aws"} {
		if _, err := os.Stat(filepath.Join(schemas, name+".json.gz")); err != nil {
			t.Skipf("the folder of provider schemas has no %s.json.gz: what has no real provider here is not validated", name)
		}
		path := filepath.Join(dir, "terraform-provider-"+name)
		if i > 0 {
			if err := os.Link(filepath.Join(dir, "terraform-provider-google"), path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
		build.Dir = "stubprovider"
		build.Env = append(slices.Clone(os.Environ()), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build stubprovider: %v\n%s", err, out)
		}
	}
	return fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/google\" = %[1]q\n    \"hashicorp/aws\" = %[1]q\n  }\n}\n", dir)
}
