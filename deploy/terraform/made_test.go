package terraform_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// made is what Terraform has in its state after a mocked apply of a whole environment.
type made struct {
	RootModule moduleState       `json:"root_module"`
	Outputs    map[string]output `json:"outputs"`
}

type output struct {
	Value json.RawMessage `json:"value"`
}

type moduleState struct {
	Resources []madeResource `json:"resources"`
	Children  []moduleState  `json:"child_modules"`
}

type madeResource struct {
	Address   string         `json:"address"`
	Mode      string         `json:"mode"`
	Type      string         `json:"type"`
	Values    map[string]any `json:"values"`
	DependsOn []string       `json:"depends_on"`
}

// text is a value that is a text, or empty.
func (r madeResource) text(name string) string {
	s, _ := r.Values[name].(string)
	return s
}

// resources are those of all modules.
func (m made) resources() []madeResource {
	var all []madeResource
	var walk func(moduleState)
	walk = func(s moduleState) {
		all = append(all, s.Resources...)
		for _, child := range s.Children {
			walk(child)
		}
	}
	walk(m.RootModule)
	return all
}

// find returns the one resource with the address.
func (m made) find(t testing.TB, address string) madeResource {
	t.Helper()
	i := slices.IndexFunc(m.resources(), func(r madeResource) bool { return r.Address == address })
	if i < 0 {
		t.Fatalf("nothing is at %s", address)
	}
	return m.resources()[i]
}

// environmentCopy is a workspace in an environment, with the mocks of testdata/environment.tftest.hcl, the parameters of the
// template of Dataflow and the rules of alerts, which lie outside this folder.
func environmentCopy(t testing.TB, name string, p providers) *workspace {
	t.Helper()
	w := copied(t, "environments/"+name, p.configuration)
	for _, file := range []string{"dataflow/metadata.json", "monitoring/rules.yml"} {
		body, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		// The root of the copy is one of several folders below the test's own.
		w.put(filepath.Join(filepath.Dir(w.root), file), body)
	}
	mocks, err := os.ReadFile("testdata/environment.tftest.hcl")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("ENVIRONMENT", name, "PROJECT", "acme-packages-"+name).Replace(string(mocks))
	w.put(filepath.Join(w.dir, "tests", "environment.tftest.hcl"), []byte(text))
	p.prepare(w)
	return w
}

// put writes a file, and makes its folder.
func (w *workspace) put(path string, body []byte) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// apply makes the environment of mocks, and returns its state.
func (w *workspace) apply() made {
	w.t.Helper()
	return w.applies()[0]
}

// applies returns the state after each run of the tests. Keys that must not be destroyed keep a test from ending well: the copy
// has no such rule.
func (w *workspace) applies() []made {
	w.t.Helper()
	var all []made
	file := filepath.Join(w.root, "modules/signing/main.tf")
	body, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(file, []byte(strings.ReplaceAll(string(body), "prevent_destroy = true", "prevent_destroy = false")))
	for line := range strings.Lines(w.must("test", "-no-color", "-json", "-verbose")) {
		var message struct {
			Type  string `json:"type"`
			State made   `json:"test_state"`
		}
		if err := json.Unmarshal([]byte(line), &message); err == nil && message.Type == "test_state" {
			all = append(all, message.State)
		}
	}
	if len(all) == 0 {
		w.t.Fatal("terraform test has shown no state")
	}
	return all
}

func TestEnvironments(t *testing.T) {
	deploytest.Slow(t)
	p := googleProviders(t)
	for _, name := range environments {
		t.Run(name, func(t *testing.T) {
			deploytest.Record(t, deploytest.Row{
				Files: "terraform/environments/" + name, Check: "terraform validate; a mocked apply of the whole, in whose state rights, order and secrets are examined", Tool: version(t) + ", " + p.what,
				CannotShow: p.blind + "what Google and AWS make of it",
			})
			w := environmentCopy(t, name, p)
			w.must("validate", "-no-color")
			m := w.apply()
			if diff := otherRights(m, name); diff != "" {
				t.Errorf("someone has other rights (-want +got):\n%s", diff)
			}
			for _, fault := range slices.Concat(secretsIn(m), orderOf(m), wideRights(m)) {
				t.Error(fault)
			}
			checkProtection(t, m, name == "ops")
			checkHelmValues(t, m, name)
			checkRunbooks(t, m)
			checkGuide(t, m)
			t.Run("its values fit the chart", func(t *testing.T) { checkChart(t, m, name) })
			t.Run("its queries are PromQL", func(t *testing.T) { checkQueries(t, m) })
		})
	}
}

func TestApplyAfterHalfAnApplyMakesTheRest(t *testing.T) {
	deploytest.Slow(t)
	w := environmentCopy(t, "pre", googleProviders(t))
	w.edit("environments/pre/tests/environment.tftest.hcl", "run \"environment\" {\n", `run "half" {
  command = apply
  plan_options {
    target = [module.ingest, module.signing, module.store.aws_s3_bucket.primary]
  }
}

run "environment" {
`)
	states := w.applies()
	if len(states) != 2 {
		t.Fatalf("%d states, want 2", len(states))
	}
	half, whole := states[0].resources(), states[1].resources()
	if len(half) < 30 || len(whole) < 2*len(half) {
		t.Errorf("%d resources, then %d", len(half), len(whole))
	}
	for _, r := range half {
		if r.Mode != "managed" {
			continue
		}
		if after := states[1].find(t, r.Address); after.Values["id"] != r.Values["id"] {
			t.Errorf("%s was replaced", r.Address)
		}
	}
	if faults := append(orderOf(states[1]), secretsIn(states[1])...); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
}

func TestFaultsOfAnEnvironmentAreFound(t *testing.T) {
	deploytest.Slow(t)
	w := environmentCopy(t, "pre", googleProviders(t))
	w.edit("modules/ingest/events.tf", "  depends_on = [google_pubsub_topic_iam_member.dead]\n", "")
	w.write("faults.tf", `
resource "google_storage_bucket_iam_member" "resolver" {
  bucket = module.ingest.bucket
  role   = "roles/storage.objectViewer"
  member = module.serve.own["repomill-resolver"].member
}

resource "google_project_iam_member" "owner" {
  project = var.project
  role    = "roles/owner"
  member  = "allUsers"
}

resource "google_service_account_key" "worker" {
  service_account_id = module.ingest.worker.name
}

resource "google_sql_user" "root" {
  project  = var.project
  instance = module.database.instance
  name     = "root"
  password = "letmein"
}
`)
	m := w.apply()
	faults := strings.Join(append(slices.Concat(secretsIn(m), orderOf(m), wideRights(m)), otherRights(m, "pre")), "\n")
	for _, want := range []string{
		"google_pubsub_subscription.repomill does not wait for module.ingest.google_pubsub_topic_iam_member.dead",
		"google_project_iam_member.owner grants roles/owner",
		"google_project_iam_member.owner grants to allUsers",
		"google_service_account_key.worker has a secret in the state",
		"google_sql_user.root.password has a secret in the state",
		`"serviceAccount:repomill-resolver"`,
	} {
		if !strings.Contains(faults, want) {
			t.Errorf("no %q in\n%s", want, faults)
		}
	}
}

func TestEnvironmentRefusesWrongValues(t *testing.T) {
	deploytest.Slow(t)
	p := googleProviders(t)
	const values, mocks = "environments/ops/terraform.tfvars", "environments/ops/tests/environment.tftest.hcl"
	for name, faults := range map[string][]fault{
		"values": {
			{"a project number", values, `project             = "acme-packages-ops"`, `project             = "424242424242"`, "not its name and not its number"},
			{"a typo in the name of a value", values, "alert_emails ", "alert_email ", "In ops alerts go to somewhere"},
			{"ops without protection", values, "deletion_protection = true", "deletion_protection = false", "deletion_protection is on in ops"},
			{"ops without a standby", values, `"REGIONAL"`, `"ZONAL"`, "In ops the database is REGIONAL"},
			{"ops with keys in software", values, `"HSM"`, `"SOFTWARE"`, "In ops signing keys are in an HSM"},
			{"a replica in another part of the world", values, `replica_region = "eu-west-1"`, `replica_region = "us-east-1"`, "packages may not have to leave it"},
			{"a URL key that CloudFront does not have", values, `name = "2026-11"`, `name = "2026-12"`, "url_key.name is one of the names in url_keys"},
		},
		"publishing":  {{"replication over what workers publish", values, `price_class        =`, "published_from     = \"replica\"\nprice_class        =", "set replication = false"}},
		"replica":     {{"a replica beside the packages", values, `replica_region = "eu-west-1"`, `replica_region = "eu-central-1"`, "a replica beside the packages is lost with them"}},
		"label":       {{"a project of the other environment", mocks, `repomill-environment = "ops"`, `repomill-environment = "pre"`, "is not labelled repomill-environment=ops"}},
		"destruction": {{"a key that is destroyed", "modules/signing/main.tf", "Key rings and keys", "Key rings and keys", "prevent_destroy set"}},
	} {
		t.Run(name, func(t *testing.T) { environmentCopy(t, "ops", p).findsAll(t, "", faults, "test") })
	}
}
