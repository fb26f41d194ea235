package main_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// encoded is what base64 may be in.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{40,}=*`)

// escaped is the escape sequence of a byte in a log.
var escaped = regexp.MustCompile(`\\+(x[0-9a-f]{2}|[0-7]{3}|[abfnrtv])`)

// decoded returns a text with all that is encoded in it, to some depth.
func decoded(text string, depth int) string {
	if depth == 0 {
		return text
	}
	var all strings.Builder
	all.WriteString(text)
	for _, m := range encoded.FindAllString(text, -1) {
		if plain, err := base64.StdEncoding.DecodeString(m); err == nil {
			all.WriteString(decoded(string(plain), depth-1))
		}
	}
	return all.String()
}

// The console of Dataflow shows the description of a job, which must have no secrets. The translation needs neither a cloud nor a
// resource.
func TestDataflowDryRun(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json") // Beam would ask Cloud Storage about its buckets
	code, stderr := repomillBeam(t, "ingest", "--runner=dataflow", "--dry-run", "--project=acme-project", "--region=europe-west1",
		"--staging-location=gs://acme-dataflow/staging", "--service-account-email=workers@acme-project.iam.gserviceaccount.com",
		"--max-num-workers=7", "--worker-machine-type=n2-standard-4", "--no-use-public-ips", `--labels={"team":"packages"}`, "--sdk-container-image=europe-docker.pkg.dev/acme/worker:1",
		"--staging=gs://acme-staging", "--bucket=s3://acme-packages?region=eu-west-1", "--public-url=https://packages.example.org",
		"--catalog=mysql://repomill@db.example.org/repomill?password-file=/run/secrets/password", "--signing-key=file:///run/secrets/signing-key.asc", "--log-format=text")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	told := decoded(strings.ReplaceAll(escaped.ReplaceAllString(stderr, " "), `\`, ""), 3)
	for _, want := range []string{
		"JOB_TYPE_BATCH", "acme-project", "europe-west1", "gs://acme-dataflow/staging", "workers@acme-project.iam.gserviceaccount.com",
		`"maxNumWorkers": 7`, "n2-standard-4", "WORKER_IP_PRIVATE", "europe-docker.pkg.dev/acme/worker:1",
		`"Staging":"gs://acme-staging"`, `"SigningKey":""`, "storeFn", "rowsFn",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the job does not have %q", want)
		}
	}
	for _, secret := range []string{"signing-key.asc", "PRIVATE KEY", "publishFn"} {
		if strings.Contains(told, secret) {
			t.Errorf("the job has %q", secret)
		}
	}
	if t.Failed() {
		t.Logf("%q", told)
	}
}

// The launcher of a flex template starts the program without a command, with the parameters of the
// template and the flags of Beam, spelt as Beam does.
func TestTemplateParameters(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
	described, err := os.ReadFile("../../deploy/dataflow/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Parameters []struct {
			Name       string
			IsOptional bool
			Regexes    []string
		}
	}
	if err := json.Unmarshal(described, &metadata); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"staging": "gs://acme-staging", "bucket": "s3://acme-packages?region=eu-west-1", "catalog": "mysql://repomill@db.example.org/repomill",
		"public_url": "https://packages.example.org", "create": "auto", "max_package_size": "1000000", "upload_timeout": "10m",
		"aws_identity": "google", "aws_role": "arn:aws:iam::123456789012:role/publish", "aws_audience": "packages.example.org",
	}
	args := []string{
		"--runner=DataflowRunner", "--dry_run", "--project=acme-project", "--region=europe-west1", "--job_name=import-1", "--labels={}",
		"--staging_location=gs://acme-dataflow/staging", "--temp_location=gs://acme-dataflow/temp", "--template_location=gs://acme-dataflow/job",
		"--num_workers=2", "--max_num_workers=9", "--worker_region=europe-west1", "--network=default", "--experiments=a,b",
	}
	for _, p := range metadata.Parameters {
		value, ok := values[p.Name]
		delete(values, p.Name)
		if !ok {
			t.Errorf("parameter %s is not known", p.Name)
		}
		for _, re := range p.Regexes {
			if !regexp.MustCompile(re).MatchString(value) {
				t.Errorf("%s: %q does not match %s", p.Name, value, re)
			}
		}
		args = append(args, "--"+p.Name+"="+value)
	}
	if len(values) > 0 {
		t.Errorf("the template lacks %v", values)
	}
	code, stderr := repomillBeam(t, args...)
	if told := strings.ReplaceAll(stderr, `\`, ""); code != 0 || !strings.Contains(told, `"value": "import-1"`) {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}
