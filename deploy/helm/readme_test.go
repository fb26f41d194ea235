package helm_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// valueRow is a row of the table of values: path, default, text.
var valueRow = regexp.MustCompile("(?m)^\\| `([A-Za-z][A-Za-z.0-9]*)` \\| `(.*?)` \\| .+ \\|$")

// README.md has every value with its default.
func TestReadmeHasTheValues(t *testing.T) {
	body, err := os.ReadFile("repomill/README.md")
	if err != nil {
		t.Fatal(err)
	}
	values := readYAML(t, "repomill/values.yaml")
	for _, problem := range readmeProblems(t, string(body), values) {
		t.Error(problem)
	}
	t.Run("what is missing or differs is found", func(t *testing.T) {
		for _, tt := range []struct{ old, replacement, want string }{
			{"| `worker.replicas` |", "| `worker.replica` |", "README.md lacks worker.replicas"},
			{"| `worker.replicas` | `2` |", "| `worker.replicas` | `3` |", "worker.replicas is 2, README.md has 3"},
		} {
			broken := strings.Replace(string(body), tt.old, tt.replacement, 1)
			if got := strings.Join(readmeProblems(t, broken, values), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		}
	})
}

// named are objects in the commands of README.md.
var named = regexp.MustCompile(`\b(deploy|deployment|cronjob|job)[/ ](repomill-[a-z-]+)`)

// The commands of README.md name objects of a release that is called repomill.
func TestReadmeNamesTheObjects(t *testing.T) {
	body, err := os.ReadFile("repomill/README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := renderAs(t, "helm4", "repomill", "repomill/values-ops.yaml")
	found := named.FindAllStringSubmatch(string(body), -1)
	if len(found) < 5 {
		t.Fatalf("only %q", found)
	}
	kinds := map[string]string{"deploy": "Deployment", "deployment": "Deployment", "cronjob": "CronJob", "job": "Job"}
	for _, m := range found {
		find(t, all, kinds[m[1]], m[2])
	}
}

func readmeProblems(t testing.TB, readme string, values map[string]any) (problems []string) {
	t.Helper()
	rows := map[string]bool{}
	for _, m := range valueRow.FindAllStringSubmatch(readme, -1) {
		rows[m[1]] = true
		path := []any{}
		for _, p := range strings.Split(m[1], ".") {
			path = append(path, p)
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(at(values, path...)); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(b.String()); got != m[2] {
			problems = append(problems, m[1]+" is "+got+", README.md has "+m[2])
		}
	}
	for _, leaf := range leaves("", values) {
		covered := false
		for path := leaf; path != "" && !covered; path = parent(path) {
			covered = rows[path]
		}
		if !covered {
			problems = append(problems, "README.md lacks "+leaf)
		}
	}
	return problems
}

// parent is a path without its last name.
func parent(path string) string { return path[:max(0, strings.LastIndex(path, "."))] }
