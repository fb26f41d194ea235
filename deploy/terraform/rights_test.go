package terraform_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scopes are the arguments that say on what a role is granted.
var scopes = []string{"bucket", "topic", "subscription", "repository", "secret_id"}

// rightsOf returns which member has which roles on what.
func rightsOf(m made, project string) map[string][]string {
	rights := map[string][]string{}
	for _, r := range m.resources() {
		if r.Mode != "managed" || !strings.HasSuffix(r.Type, "_iam_member") {
			continue
		}
		on := "project"
		for _, s := range scopes {
			if v := r.text(s); v != "" {
				on = v
			}
		}
		switch r.Type {
		case "google_kms_crypto_key_iam_member":
			on = r.Address[strings.LastIndex(r.Address, "["):]
		case "google_service_account_iam_member":
			account, _, _ := strings.Cut(r.text("service_account_id")[strings.LastIndex(r.text("service_account_id"), "/")+1:], "@")
			on = account
		}
		if conditions, _ := r.Values["condition"].([]any); len(conditions) > 0 {
			on += " if " + conditions[0].(map[string]any)["title"].(string)
		}
		member := strings.ReplaceAll(strings.TrimSuffix(r.text("member"), "@"+project+".iam.gserviceaccount.com"), project, "PROJECT")
		role := strings.ReplaceAll(r.text("role"), project, "PROJECT")
		rights[member] = append(rights[member], role+" on "+strings.ReplaceAll(on, project, "PROJECT"))
	}
	for _, list := range rights {
		slices.Sort(list)
	}
	return rights
}

// otherRights compares all that anyone may do in Google Cloud. The resolver reads the key of the URLs, the audit nothing.
func otherRights(m made, name string) string {
	database := []string{"roles/cloudsql.client on project if catalog only", "roles/cloudsql.instanceUser on project if catalog only"}
	want := map[string][]string{
		"serviceAccount:repomill-worker": append([]string{
			`roles/cloudkms.signerVerifier on ["releases"]`, `roles/cloudkms.signerVerifier on ["releases-next"]`,
		}, append(database, "roles/pubsub.subscriber on repomill", "roles/storage.objectUser on PROJECT-staging")...),
		"serviceAccount:repomill-api": append([]string{
			"projects/PROJECT/roles/repomillIncoming on PROJECT-staging if below .incoming", "projects/PROJECT/roles/repomillStage on PROJECT-staging",
		}, database...),
		"serviceAccount:repomill-stats":    database,
		"serviceAccount:repomill-resolver": {"roles/secretmanager.secretAccessor on repomill-url-key"},
		"serviceAccount:repomill-dataflow": append(append([]string{"roles/artifactregistry.reader on repomill"}, database...),
			"roles/dataflow.worker on project", "roles/storage.objectUser on PROJECT-dataflow", "roles/storage.objectUser on PROJECT-staging"),
		"serviceAccount:repomill-nodes": {"roles/artifactregistry.reader on repomill", "roles/container.defaultNodeServiceAccount on project"},
		"serviceAccount:ci":             {"roles/artifactregistry.writer on repomill"},
		"group:release@acme.example": {
			"projects/PROJECT/roles/repomillLaunch on project", "roles/iam.serviceAccountUser on repomill-dataflow", "roles/storage.objectViewer on PROJECT-dataflow if templates only",
		},
		"serviceAccount:service-424242424242@gs-project-accounts.iam.gserviceaccount.com": {"roles/pubsub.publisher on staging"},
		"serviceAccount:service-424242424242@gcp-sa-pubsub.iam.gserviceaccount.com":       {"roles/pubsub.publisher on staging-dead", "roles/pubsub.subscriber on repomill"},
	}
	for account, identity := range map[string]string{"worker": "worker", "api": "api", "resolver": "resolver", "audit": "audit", "stats": "stats", "migrate": "worker"} {
		want[fmt.Sprintf("serviceAccount:PROJECT.svc.id.goog[repomill/repomill-%s]", account)] = []string{"roles/iam.workloadIdentityUser on repomill-" + identity}
	}
	for _, list := range want {
		slices.Sort(list)
	}
	return cmp.Diff(want, rightsOf(m, "acme-packages-"+name))
}

var wideRole = regexp.MustCompile(`^roles/(owner|editor|viewer)$|[aA]dmin$`)

// wideRights finds roles for all of a project, members that are anyone, and resources that take rights from others.
func wideRights(m made) []string {
	var found []string
	for _, r := range m.resources() {
		if r.Mode != "managed" || !strings.HasPrefix(r.Type, "google_") {
			continue
		}
		if strings.HasSuffix(r.Type, "_iam_binding") || strings.HasSuffix(r.Type, "_iam_policy") {
			found = append(found, r.Address+" removes what others have granted")
		}
		if wideRole.MatchString(r.text("role")) {
			found = append(found, r.Address+" grants "+r.text("role"))
		}
		if member := r.text("member"); member == "allUsers" || member == "allAuthenticatedUsers" {
			found = append(found, r.Address+" grants to "+member)
		}
	}
	return found
}

// before lists what has to be there before something else is made: Google refuses the second, or ignores a part of it.
var before = map[string]string{
	"module.ingest.google_storage_notification.staging":        "module.ingest.google_pubsub_topic_iam_member.storage",
	"module.ingest.google_pubsub_subscription.repomill":        "module.ingest.google_pubsub_topic_iam_member.dead",
	"module.database.google_sql_database_instance.catalog":     "module.database.google_service_networking_connection.services",
	"module.serve.google_container_cluster.this":               "module.serve.google_project_iam_member.nodes",
	"module.serve.google_service_account_iam_member.workload":  "module.serve.google_container_cluster.this",
	"module.database.google_compute_global_address.services":   "google_project_service.this",
	"module.observe.google_monitoring_alert_policy.backup":     "google_project_service.this",
	"module.signing.google_kms_key_ring.this":                  "google_project_service.this",
	"module.pipeline.google_storage_bucket_iam_member.staging": "module.ingest.google_storage_bucket.staging",
}

// orderOf finds what may be made before that which it needs.
func orderOf(m made) []string {
	var found []string
	for _, second := range slices.Sorted(maps.Keys(before)) {
		n := 0
		for _, r := range m.resources() {
			address, _, _ := strings.Cut(r.Address, "[")
			if address != second {
				continue
			}
			n++
			if !slices.Contains(r.DependsOn, before[second]) {
				found = append(found, fmt.Sprintf("%s does not wait for %s", r.Address, before[second]))
			}
		}
		if n == 0 {
			found = append(found, "nothing is at "+second)
		}
	}
	return found
}

func checkProtection(t *testing.T, m made, protected bool) {
	t.Helper()
	database := m.find(t, "module.database.google_sql_database_instance.catalog")
	settings := database.Values["settings"].([]any)[0].(map[string]any)
	cluster := m.find(t, "module.serve.google_container_cluster.this")
	for name, got := range map[string]any{
		"Terraform's protection of the database": database.Values["deletion_protection"],
		"Google's protection of the database":    settings["deletion_protection_enabled"],
		"protection of the cluster":              cluster.Values["deletion_protection"],
		"no deletion of a bucket with packages":  !m.find(t, "module.store.aws_s3_bucket.primary").Values["force_destroy"].(bool),
	} {
		if got != protected {
			t.Errorf("%s: got %v, want %v", name, got, protected)
		}
	}
}

func checkHelmValues(t *testing.T, m made, name string) {
	t.Helper()
	var got struct {
		Environment, Staging, Events, Bucket string
		Resolver                             struct{ Env map[string]string }
		Worker, Toolbox                      struct{ Env map[string]string }
		Audit                                struct{ Replica string }
		Catalog                              struct{ Worker, API struct{ URL string } }
		CloudSQLProxy                        struct{ Instance string }
		Signing                              struct{ KMSKeys []string }
		URLKey                               struct{ SecretManager string }
		AWS                                  struct {
			Region string
			Roles  map[string]string
		}
		Monitoring struct{ Runbooks string }
	}
	if err := json.Unmarshal(m.Outputs["helm_values"].Value, &got); err != nil {
		t.Fatal(err)
	}
	account := map[string]string{"pre": "111122223333", "ops": "444455556666"}[name]
	want := got
	want.Environment = name
	want.Staging = "gs://acme-packages-" + name + "-staging"
	want.Events = "pubsub://acme-packages-" + name + "/repomill"
	want.Bucket = "s3://acme-packages-" + name + "?region=eu-central-1"
	want.Resolver.Env = map[string]string{"REPOMILL_BUCKET": want.Bucket}
	want.Worker.Env = map[string]string{"REPOMILL_INVALIDATE": "cloudfront://" + m.find(t, "module.cdn.aws_cloudfront_distribution.this").text("id")}
	want.Toolbox.Env = want.Worker.Env
	want.Audit.Replica = "s3://acme-packages-" + name + "-replica?region=eu-west-1"
	want.AWS.Region = "eu-central-1"
	want.Catalog.Worker.URL = "mysql://repomill-worker@127.0.0.1:3306/repomill"
	want.Catalog.API.URL = "mysql://repomill-api@127.0.0.1:3306/repomill"
	want.CloudSQLProxy.Instance = "acme-packages-" + name + ":europe-west3:repomill"
	want.URLKey.SecretManager = "projects/acme-packages-" + name + "/secrets/repomill-url-key/versions/1"
	want.Monitoring.Runbooks = "https://git.acme.example/platform/repomill/-/blob/main/deploy/runbooks/"
	want.Signing.KMSKeys, want.AWS.Roles = nil, map[string]string{}
	for _, key := range []string{"releases", "releases-next"} {
		want.Signing.KMSKeys = append(want.Signing.KMSKeys, "gcpkms://projects/acme-packages-"+name+"/locations/europe-west3/keyRings/repomill/cryptoKeys/"+key+"/cryptoKeyVersions/1")
	}
	for _, purpose := range []string{"publish", "serve", "stats", "verify"} {
		want.AWS.Roles[purpose] = "arn:aws:iam::" + account + ":role/repomill-" + name + "-" + purpose
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("helm_values (-want +got):\n%s", diff)
	}
}
