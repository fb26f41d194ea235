package deploy_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/pipelines"
	"repomill/pipelines/worker"
)

const alerts = "monitoring/alerts.yaml"

// metricsOf returns the names of what a worker measures.
func metricsOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/bucket", 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := pipelines.Open(t.Context(), pipelines.Config{Bucket: "file://" + dir + "/bucket", Catalog: "sqlite://" + dir + "/catalog.db", PublicURL: "http://x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		(&worker.Dispatcher{Resources: r}).Registry().Describe(descs)
	}()
	var all strings.Builder
	for d := range descs {
		all.WriteString(d.String())
	}
	return all.String()
}

// apiMetric begins the names of what the API measures.
const apiMetric = "repomill_api_"

// alerted returns the metrics that the alerts name.
func alerted(t *testing.T) []string {
	t.Helper()
	rules, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`repomill_\w+`).FindAllString(string(rules), -1)
}

func TestAlertsNameWhatExists(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	measured := metricsOf(t)
	names := alerted(t)
	if len(names) < 3 {
		t.Errorf("the alerts name %q", names)
	}
	for _, name := range names {
		if strings.HasPrefix(name, apiMetric) {
			continue // see TestAPIBehindNginx
		}
		if !strings.Contains(measured, `fqName: "`+name+`"`) {
			t.Errorf("%s: a worker has no metric %s", alerts, name)
		}
	}
	links := regexp.MustCompile(`runbook: '(.*)'`).FindAllStringSubmatch(string(rules), -1)
	if len(links) < 3 {
		t.Errorf("%d links to a runbook", len(links))
	}
	for _, m := range links {
		file, anchor, _ := strings.Cut(m[1], "#")
		body, err := os.ReadFile("../" + file)
		if err != nil {
			t.Error(err)
		}
		found := false
		for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(body), -1) {
			found = found || strings.ReplaceAll(strings.ToLower(h[1]), " ", "-") == anchor
		}
		if !found {
			t.Errorf("%s: %s has no heading #%s", alerts, file, anchor)
		}
	}
}

// Prometheus takes the rules, and they alert as their own tests say.
func TestAlertsInPrometheus(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "monitoring"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}
