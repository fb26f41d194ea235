// Package dataflow_test checks the template and the launcher of jobs on Dataflow.
package dataflow_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/deploytest"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
)

func TestScripts(t *testing.T) {
	shellcheck := deploytest.Tool(t, "shellcheck")
	deploytest.Record(t, deploytest.Row{Files: "dataflow/launch, dataflow/install-tools", Check: "shellcheck", Tool: "shellcheck", CannotShow: "behaviour"})
	if a := try(t, nil, shellcheck, "launch", "install-tools"); a.Code != 0 {
		t.Error(a)
	}
}

func TestDockerfile(t *testing.T) {
	hadolint := deploytest.Tool(t, "hadolint")
	deploytest.Record(t, deploytest.Row{Files: "dataflow/Dockerfile, Dockerfile.cloudsql", Check: "hadolint; an image without a version is found", Tool: "hadolint 2.15.1", CannotShow: "that it builds: there is no engine, and no image was pulled"})
	for _, file := range []string{"Dockerfile", "Dockerfile.cloudsql"} {
		if a := try(t, nil, hadolint, file); a.Code != 0 {
			t.Error(a)
		}
	}
	body, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(body), "FROM golang:1.26.8", "FROM golang:latest", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if a := try(t, nil, hadolint, broken); a.Code != 1 || !strings.Contains(a.Stdout, "DL3007") {
		t.Error(a)
	}
}

// try runs a program.
func try(t *testing.T, env []string, program string, args ...string) proctest.Answer {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	a, err := proctest.Finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// settings are the environment of a launch.
var settings = []string{"PROJECT=acme-project", "REGION=europe-west1", "BUCKET=gs://acme-dataflow/", "IMAGE=europe-docker.pkg.dev/acme/tools/repomill-beam:1",
	"WORKER_IMAGE=europe-docker.pkg.dev/acme/tools/worker:1", "SERVICE_ACCOUNT=", "SUBNETWORK=", "MACHINE_TYPE=", "MAX_WORKERS="}

func TestLaunchRefuses(t *testing.T) {
	for _, tt := range []struct {
		fact, says string
		env, args  []string
	}{
		{"a template that is not there", "there is no ./metadata-export.json; use ingest", nil, []string{"export", "job", "staging=gs://in"}},
		{"a parameter that is not there", "there is no parameter stagging: there are staging catalog", nil, []string{"ingest", "job", "stagging=gs://in"}},
		{"a parameter without a value", "staging: use NAME=VALUE", nil, []string{"ingest", "job", "staging"}},
		{"a value with the separator", "staging: launch separates parameters with ~", nil, []string{"ingest", "job", "staging=gs://in/~x"}},
		{"a name that Dataflow refuses", "job Job_1: use lower-case letters", nil, []string{"ingest", "Job_1", "staging=gs://in"}},
		{"no parameters", "use launch [--dry-run] TEMPLATE JOB NAME=VALUE...", nil, []string{"ingest", "job"}},
		{"no project", "name the project that pays", []string{"PROJECT="}, []string{"ingest", "job", "staging=gs://in"}},
		{"no bucket", "name the bucket", []string{"BUCKET="}, []string{"ingest", "job", "staging=gs://in"}},
		{"an image that would break the template", `IMAGE x", "y: use HOST/PROJECT`, []string{`IMAGE=x", "y`}, []string{"ingest", "job", "staging=gs://in"}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			a := try(t, append(append([]string{}, settings...), tt.env...), "./launch", append([]string{"--dry-run"}, tt.args...)...)
			if a.Code != 2 || a.Stdout != "" || !strings.Contains(a.Stderr, tt.says) {
				t.Errorf("got %v, want %q", a, tt.says)
			}
		})
	}
}

// A request is what gcloud asks Dataflow for.
type request struct {
	path string
	body any
}

// cloud is Cloud Storage and the one call of Dataflow, on loopback, and the environment in which gcloud asks them.
func cloud(t *testing.T) (storage *gcstest.Server, requests func() []request, env []string) {
	t.Helper()
	storage = gcstest.Start(t)
	var mu sync.Mutex
	var all []request
	dataflow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := request{path: r.Method + " " + r.URL.Path}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &got.body) != nil {
			http.Error(w, "{}", http.StatusBadRequest)
			return
		}
		mu.Lock()
		all = append(all, got)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"job": {"id": "2026-11-29_1", "projectId": "acme-project", "location": "europe-west1"}}`) //nolint:errcheck // gcloud sees it
	}))
	t.Cleanup(dataflow.Close)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(append([]string{}, settings...), "CLOUDSDK_CONFIG="+filepath.Join(dir, "gcloud"), "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE="+token, "CLOUDSDK_CORE_DISABLE_PROMPTS=1",
		"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=1", "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAFLOW="+dataflow.URL+"/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE="+resumable(t, origin(storage))+"/storage/v1/")
	return storage, func() []request { mu.Lock(); defer mu.Unlock(); return append([]request(nil), all...) }, env
}

// origin returns the URL of a server of Cloud Storage.
func origin(s *gcstest.Server) string {
	u, _ := url.Parse(s.URL("acme-dataflow"))
	return u.Query().Get("endpoint")
}

// resumable serves Cloud Storage under the second path that it has for uploads, too, which gcloud uses.
func resumable(t *testing.T, origin string) string {
	t.Helper()
	at, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(at)
		r.Out.URL.Path = strings.TrimPrefix(r.Out.URL.Path, "/resumable")
		r.Out.URL.RawPath = strings.TrimPrefix(r.Out.URL.RawPath, "/resumable")
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// What launch does, and what the commands do that --dry-run prints: the template is stored, and the job started.
func TestLaunch(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{Files: "dataflow/launch", Check: "gcloud stores the template and starts the job at servers on loopback; what --dry-run prints does the same",
		Tool: "gcloud", CannotShow: "Dataflow: no job was run there"})
	deploytest.Tool(t, "gcloud")
	parameters := []string{"staging=gs://acme-staging", "bucket=s3://acme-packages?region=eu-west-1", "catalog=mysql://repomill@db/repomill?password-file=/run/secrets/db",
		"public_url=https://packages.acme.example/it's,here"}
	job := func(template string, environment map[string]any) []request {
		return []request{{"POST /v1b3/projects/acme-project/locations/europe-west1/flexTemplates:launch", map[string]any{"launchParameter": map[string]any{
			"jobName": "import-1", "containerSpecGcsPath": template, "environment": environment, "parameters": map[string]any{
				"staging": "gs://acme-staging", "bucket": "s3://acme-packages?region=eu-west-1", "catalog": "mysql://repomill@db/repomill?password-file=/run/secrets/db",
				"public_url": "https://packages.acme.example/it's,here"}}}}}
	}
	own := map[string]any{"stagingLocation": "gs://acme-dataflow/staging", "tempLocation": "gs://acme-dataflow/temp", "maxWorkers": 4.0, "ipConfiguration": "WORKER_IP_PRIVATE", "enableStreamingEngine": false}
	for _, tt := range []struct {
		fact     string
		env      []string
		template string
		printed  bool
		want     []request
		stored   bool
	}{
		{"a template of its own", nil, "ingest", false, job("gs://acme-dataflow/templates/repomill-ingest.json", own), true},
		{"the commands that a dry run prints", nil, "ingest", true, job("gs://acme-dataflow/templates/repomill-ingest.json", own), true},
		{"a template that is there says what workers are", nil, "gs://acme/t.json", false, job("gs://acme/t.json", map[string]any{"enableStreamingEngine": false}), false},
		{"settings of workers", []string{"SERVICE_ACCOUNT=w@acme.iam.gserviceaccount.com", "SUBNETWORK=regions/europe-west1/subnetworks/s", "MACHINE_TYPE=n2-standard-4", "MAX_WORKERS=9"}, "gs://acme/t.json", false,
			job("gs://acme/t.json", map[string]any{"serviceAccountEmail": "w@acme.iam.gserviceaccount.com", "subnetwork": "regions/europe-west1/subnetworks/s", "machineType": "n2-standard-4",
				"maxWorkers": 9.0, "enableStreamingEngine": false}), false},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			storage, requests, env := cloud(t)
			env = append(env, tt.env...)
			args := append([]string{tt.template, "import-1"}, parameters...)
			if tt.printed {
				a := try(t, env, "./launch", append([]string{"--dry-run"}, args...)...)
				if got := requests(); a.Code != 0 || len(got) > 0 {
					t.Fatalf("a dry run asked for %v: %v", got, a)
				}
				a = try(t, env, "sh", "-euc", a.Stdout)
				if a.Code != 0 {
					t.Fatal(a)
				}
			} else if a := try(t, env, "./launch", args...); a.Code != 0 {
				t.Fatal(a)
			}
			if diff := cmp.Diff(tt.want, requests(), cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if tt.stored {
				storedTemplate(t, storage)
			}
		})
	}
}

// storedTemplate checks that the template in the bucket is what Dataflow's API describes.
func storedTemplate(t *testing.T, storage *gcstest.Server) {
	t.Helper()
	resp, err := http.Get(origin(storage) + "/storage/v1/b/acme-dataflow/o/" + url.PathEscape("templates/repomill-ingest.json") + "?alt=media")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var spec struct {
		Image              string
		SDKInfo            struct{ Language string }
		DefaultEnvironment struct{ SDKContainerImage string }
		Metadata           metadata
	}
	d := json.NewDecoder(resp.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&spec); err != nil || spec.Image != "europe-docker.pkg.dev/acme/tools/repomill-beam:1" || spec.SDKInfo.Language != "GO" ||
		spec.DefaultEnvironment.SDKContainerImage != "europe-docker.pkg.dev/acme/tools/worker:1" {
		t.Errorf("%s, %v: %+v", resp.Status, err, spec)
	}
	if diff := cmp.Diff(read(t, "metadata.json"), spec.Metadata); diff != "" {
		t.Errorf("metadata (-file +stored):\n%s", diff)
	}
}
