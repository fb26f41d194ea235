package terraform_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// queriesOf returns the queries in PromQL of alerts and dashboards.
func queriesOf(m made) []string {
	var found []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if s, ok := inner.(string); ok && (name == "query" || name == "prometheusQuery") && s != "" {
					found = append(found, s)
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	for _, r := range m.resources() {
		walk(any(r.Values))
		var dashboard any
		if r.Type == "google_monitoring_dashboard" && json.Unmarshal([]byte(r.text("dashboard_json")), &dashboard) == nil {
			walk(dashboard)
		}
	}
	return found
}

// checkQueries parses the queries as rules of Prometheus.
func checkQueries(t *testing.T, m made) {
	promtool := deploytest.Tool(t, "promtool")
	check := func(queries []string) (string, error) {
		var rules strings.Builder
		rules.WriteString("groups:\n  - name: terraform\n    rules:\n")
		for i, q := range queries {
			fmt.Fprintf(&rules, "      - {record: query:%d, expr: %q}\n", i, q)
		}
		path := filepath.Join(t.TempDir(), "rules.yml")
		if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput()
		return string(out), err
	}
	queries := queriesOf(m)
	if len(queries) < 35 {
		t.Errorf("alerts and dashboards have %d queries", len(queries))
	}
	if out, err := check(queries); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	if out, err := check([]string{queries[0] + ")"}); err == nil {
		t.Errorf("promtool takes a query with one bracket more:\n%s", out)
	}
}
