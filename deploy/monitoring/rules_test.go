// Package monitoring_test checks the rules, dashboards and runbooks: with promtool, and against what running programs measure.
package monitoring_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"repomill/testdata/deploytest"
)

// A ruleFile is what Prometheus loads.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// A testFile is what promtool test rules reads, as far as it is looked at here.
type testFile struct {
	RuleFiles []string `yaml:"rule_files"`
	Tests     []struct {
		Alerts []struct {
			Alert string `yaml:"alertname"`
			Want  []struct {
				Labels map[string]string `yaml:"exp_labels"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readYAML[T any](t testing.TB, path string) (v T) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(body, &v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// all returns the rules of all groups.
func (f ruleFile) all() (rules []rule) {
	for _, g := range f.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// alerts returns those rules that alert.
func (f ruleFile) alerts() []rule {
	return slices.DeleteFunc(f.all(), func(r rule) bool { return r.Alert == "" })
}

// Prometheus takes the rules, and they alert as their own tests say.
func TestRulesInPrometheus(t *testing.T) {
	t.Parallel()
	promtool := deploytest.Tool(t, "promtool")
	deploytest.Record(t, deploytest.Row{
		Files: "monitoring/rules.yml, rules_test.yml", Check: "promtool check rules, test rules: each alert fires, and does not", Tool: version(t, promtool),
		CannotShow: "that thresholds fit your traffic; the names of metrics of Google's exporter and of the backup script",
	})
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

func TestBrokenRulesAreFound(t *testing.T) {
	t.Parallel()
	promtool := deploytest.Tool(t, "promtool")
	for _, tt := range []struct{ fact, old, replacement, check, finds string }{
		{"an expression that does not parse", "max(repomill_releases_behind) > 0", "max(repomill_releases_behind > 0", "check", "could not parse expression"},
		{"an alert without an expression", "expr: max(repomill_releases_behind) > 0", "", "check", "field 'expr' must be set"},
		{"a threshold that is too high", "max(repomill_reindexes_failed) > 0", "max(repomill_reindexes_failed) > 5", "test", "RepomillReindexFailed"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			dir := t.TempDir()
			change(t, "rules.yml", filepath.Join(dir, "rules.yml"), tt.old, tt.replacement)
			args := []string{"check", "rules", "rules.yml"}
			if tt.check == "test" {
				write(t, filepath.Join(dir, "one_test.yml"), `rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'repomill_reindexes_failed', values: '2x5'}]
    alert_rule_test:
      - eval_time: 1m
        alertname: RepomillReindexFailed
        exp_alerts:
          - exp_labels: {severity: error}
            exp_annotations: {summary: The latest reindex of 2 releases failed, runbook_url: deploy/runbooks/RepomillReindexFailed.md}
`)
				args = []string{"test", "rules", "one_test.yml"}
			}
			cmd := exec.Command(promtool, args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), tt.finds) {
				t.Errorf("promtool says %v\n%s\nwant %q", err, out, tt.finds)
			}
		})
	}
}

// version returns the name and version of a program of Prometheus.
func version(t testing.TB, promtool string) string {
	t.Helper()
	out, err := exec.Command(promtool, "--version").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return "promtool " + regexp.MustCompile(`\d+\.\d+\.\d+`).FindString(string(out))
}

func TestAlertsAreComplete(t *testing.T) {
	rules, tests := readYAML[ruleFile](t, "rules.yml"), readYAML[testFile](t, "rules_test.yml")
	if n := len(rules.alerts()); n < 20 {
		t.Errorf("%d alerts", n)
	}
	report(t, incomplete(rules), untested(rules, tests), withoutRunbook(rules, runbooks(t, "../runbooks")))
}

func TestIncompleteAlertsAreFound(t *testing.T) {
	good := rule{Alert: "RepomillX", Expr: "x", Labels: map[string]string{"severity": "error"},
		Annotations: map[string]string{"summary": "A thing fails", "runbook_url": "deploy/runbooks/RepomillX.md"}}
	quiet := "tests: [{alert_rule_test: [{alertname: RepomillX, exp_alerts: []}]}]"
	fires := "tests: [{alert_rule_test: [{alertname: RepomillX, exp_alerts: []}, {alertname: RepomillX, exp_alerts: [{exp_labels: {severity: error}}]}]}]"
	for _, tt := range []struct {
		fact, tests string
		runbooks    []string
		change      func(*rule)
		want        string // nothing: all is well
	}{
		{"nothing is missing", fires, []string{"RepomillX", "drill-lost-database", "README"}, func(*rule) {}, ""},
		{"an alert without a severity", fires, []string{"RepomillX"}, func(r *rule) { r.Labels = nil }, `severity ""`},
		{"an alert without a summary", fires, []string{"RepomillX"}, func(r *rule) { r.Annotations["summary"] = "" }, "no summary"},
		{"an alert with another prefix", fires, []string{"RepomillX"}, func(r *rule) { r.Alert = "X" }, "begin with Repomill"},
		{"an alert that names another runbook", fires, []string{"RepomillX"}, func(r *rule) { r.Annotations["runbook_url"] = "deploy/runbooks/RepomillY.md" }, "runbook_url"},
		{"an alert without its runbook", fires, nil, func(*rule) {}, "no runbook"},
		{"a runbook without an alert", fires, []string{"RepomillX", "RepomillZ"}, func(*rule) {}, "RepomillZ"},
		{"an alert that no test has fire", quiet, []string{"RepomillX"}, func(*rule) {}, "no test in which it fires"},
		{"an alert that no test has silent", strings.Replace(fires, "{alertname: RepomillX, exp_alerts: []}, ", "", 1), []string{"RepomillX"}, func(*rule) {}, "no test in which it does not"},
		{"a severity that no test has fire", fires, []string{"RepomillX"}, func(r *rule) { r.Labels["severity"] = "info" }, "no test in which it fires"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var tests testFile
			if err := yaml.Unmarshal([]byte(tt.tests), &tests); err != nil {
				t.Fatal(err)
			}
			r := good
			r.Labels, r.Annotations = map[string]string{"severity": "error"}, map[string]string{"summary": good.Annotations["summary"], "runbook_url": good.Annotations["runbook_url"]}
			tt.change(&r)
			rules := ruleFile{Groups: []struct {
				Name  string
				Rules []rule
			}{{Rules: []rule{r}}}}
			got := strings.Join(slices.Concat(incomplete(rules), untested(rules, tests), withoutRunbook(rules, tt.runbooks)), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// incomplete returns what alerts lack.
func incomplete(f ruleFile) (problems []string) {
	for _, r := range f.alerts() {
		if !strings.HasPrefix(r.Alert, "Repomill") {
			problems = append(problems, r.Alert+": names of alerts begin with Repomill")
		}
		if s := r.Labels["severity"]; !slices.Contains([]string{"info", "warning", "error", "critical"}, s) {
			problems = append(problems, fmt.Sprintf("%s: severity %q", r.Alert, s))
		}
		if r.Annotations["summary"] == "" {
			problems = append(problems, r.Alert+": no summary")
		}
		if got, want := r.Annotations["runbook_url"], "deploy/runbooks/"+r.Alert+".md"; got != want {
			problems = append(problems, fmt.Sprintf("%s: runbook_url is %q, want %q", r.Alert, got, want))
		}
	}
	return problems
}

// untested returns alerts that fire in no test, and those that are silent in none, by severity.
func untested(f ruleFile, tests testFile) (problems []string) {
	for _, r := range f.alerts() {
		fires, silent := false, false
		for _, group := range tests.Tests {
			for _, c := range group.Alerts {
				if c.Alert != r.Alert {
					continue
				}
				found := false
				for _, want := range c.Want {
					found = found || want.Labels["severity"] == r.Labels["severity"]
				}
				fires, silent = fires || found, silent || !found
			}
		}
		if !fires {
			problems = append(problems, fmt.Sprintf("%s (%s): no test in which it fires", r.Alert, r.Labels["severity"]))
		}
		if !silent {
			problems = append(problems, fmt.Sprintf("%s (%s): no test in which it does not fire", r.Alert, r.Labels["severity"]))
		}
	}
	return problems
}

func report(t *testing.T, problems ...[]string) {
	t.Helper()
	for _, p := range slices.Concat(problems...) {
		t.Error(p)
	}
}

// change copies a file with one text of it replaced.
func change(t testing.TB, from, to, old, replacement string) {
	t.Helper()
	body, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), old) {
		t.Fatalf("%s has no %q", from, old)
	}
	write(t, to, strings.Replace(string(body), old, replacement, 1))
}

func write(t testing.TB, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}
