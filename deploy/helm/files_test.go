package helm_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"repomill/testdata/deploytest"
)

var update = flag.Bool("update", false, "copy the files of deploy/monitoring into the chart")

// copies are the files of deploy/monitoring that the chart has, by the path of the copy: helm reads nothing outside of a chart.
func copies(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{"repomill/files/rules.yml": "../monitoring/rules.yml"}
	dashboards, err := filepath.Glob("../monitoring/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dashboards {
		all["repomill/files/dashboards/"+filepath.Base(path)] = path
	}
	return all
}

// The chart has the rules and dashboards of deploy/monitoring, all of them and no others.
func TestCopiesAreEqual(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "helm/repomill/files", Check: "equal to deploy/monitoring", Tool: "go test"})
	want := copies(t)
	if *update {
		for to, from := range want {
			body, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, problem := range copyProblems(t, "repomill", want) {
		t.Errorf("%s; go test ./deploy/helm -run CopiesAreEqual -update copies what is missing", problem)
	}
	t.Run("a copy that differs is found", func(t *testing.T) {
		broken := chartCopy(t, "files/rules.yml", "alert:", "alarm:")
		if problems := copyProblems(t, broken, want); len(problems) != 1 || !strings.Contains(problems[0], "rules.yml is not") {
			t.Errorf("%q", problems)
		}
	})
	t.Run("a dashboard of its own is found", func(t *testing.T) {
		broken := chartCopy(t, "files/rules.yml", "alert:", "alert:")
		if err := os.MkdirAll(filepath.Join(broken, "files", "dashboards"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broken, "files", "dashboards", "own.json"), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		if problems := copyProblems(t, broken, want); len(problems) != 1 || !strings.Contains(problems[0], "own.json") {
			t.Errorf("%q", problems)
		}
	})
}

func copyProblems(t testing.TB, chart string, want map[string]string) (problems []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(chart, "files", "dashboards", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if name := filepath.Base(path); want["repomill/files/dashboards/"+name] == "" {
			problems = append(problems, name+" is not in deploy/monitoring")
		}
	}
	for to, from := range want {
		to = filepath.Join(chart, strings.TrimPrefix(to, "repomill/"))
		got, _ := os.ReadFile(to) //nolint:errcheck // absent: differs
		original, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, original) {
			problems = append(problems, fmt.Sprintf("%s is not %s", to, from))
		}
	}
	return problems
}

// Files of values parse, and those of pre and ops name the same values: what one has, the other has, but for image tags and digests.
func TestValuesParse(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "helm/repomill/values*", Check: "YAML and JSON parse; pre and ops name the same values", Tool: "go test"})
	keys := map[string][]string{}
	for _, name := range []string{"values.yaml", "values-pre.yaml", "values-ops.yaml"} {
		keys[name] = leaves("", readYAML(t, filepath.Join("repomill", name)))
	}
	if diff := cmp.Diff(keys["values-pre.yaml"], keys["values-ops.yaml"]); diff != "" {
		t.Errorf("values of pre and ops (-pre +ops):\n%s", diff)
	}
	var schema map[string]any
	body, err := os.ReadFile("repomill/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &schema); err != nil {
		t.Fatal(err)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name := range readYAML(t, "repomill/values.yaml") {
		if properties[name] == nil {
			t.Errorf("the schema lacks %s", name)
		}
	}
	if schema["additionalProperties"] != false {
		t.Error("the schema lets names with typos pass")
	}
}

func readYAML(t testing.TB, path string) (all map[string]any) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(body, &all); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return all
}

// leaves returns the paths of values. Lists count as values, and a tag as a digest.
func leaves(prefix string, value any) (all []string) {
	m, ok := value.(map[string]any)
	if !ok || len(m) == 0 {
		return []string{strings.TrimSuffix(strings.TrimPrefix(prefix, "."), ".tag")}
	}
	for key, v := range m {
		if prefix != "" && key == "digest" && !strings.HasPrefix(prefix, ".cloudSQLProxy") {
			key = "tag"
		}
		all = append(all, leaves(prefix+"."+key, v)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
