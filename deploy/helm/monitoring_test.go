package helm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Alerts arrive in the cluster as deploy/monitoring has them, for both readers of metrics.
func TestRulesAreTheChartsRules(t *testing.T) {
	want := readYAML(t, "repomill/files/rules.yml")
	for _, helm := range helms {
		for kind, object := range map[string]string{"ServiceMonitor": "PrometheusRule", "PodMonitoring": "Rules"} {
			t.Run(helm+" "+object, func(t *testing.T) {
				all := render(t, helm, "repomill/values-ops.yaml", "--set=monitoring.kind="+kind, "--set=monitoring.labels.release=prometheus")
				m := find(t, all, object, "y-repomill-rules")
				for i, group := range at(m.raw, "spec", "groups").([]any) { // Google's definition refuses a group without one
					wanted := map[string]any{"PrometheusRule": nil, "Rules": "30s"}[object]
					if got := at(group, "interval"); got != wanted {
						t.Errorf("group %d: interval %v, want %v", i, got, wanted)
					}
					delete(group.(map[string]any), "interval")
				}
				if diff := cmp.Diff(want, at(m.raw, "spec")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if m.Metadata.Labels["release"] != "prometheus" {
					t.Errorf("labels: %v", m.Metadata.Labels)
				}
			})
		}
	}
	t.Run("an alert is left out", func(t *testing.T) {
		const name = "RepomillStagingFull"
		text := func(set string) string {
			body, err := json.Marshal(find(t, render(t, "helm4", "repomill/values-ops.yaml", set), "Rules", "y-repomill-rules").raw)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		all, fewer := text("--set=monitoring.omit=null"), text("--set=monitoring.omit={"+name+"}")
		if !strings.Contains(all, name) || strings.Contains(fewer, name) || strings.Count(all, `"alert"`) != strings.Count(fewer, `"alert"`)+1 {
			t.Errorf("of %d alerts %d are left", strings.Count(all, `"alert"`), strings.Count(fewer, `"alert"`))
		}
	})
	t.Run("links lead to the runbooks", func(t *testing.T) {
		const folder = "https://git.acme.example/repomill/deploy/runbooks/"
		groups := at(find(t, render(t, "helm4", "repomill/values-ops.yaml", "--set=monitoring.runbooks="+folder), "Rules", "y-repomill-rules").raw, "spec", "groups").([]any)
		links := 0
		for _, g := range groups {
			for _, r := range at(g, "rules").([]any) {
				name, alert := at(r, "alert").(string)
				if link := at(r, "annotations", "runbook_url"); alert && link != folder+name+".md" {
					t.Errorf("%s links to %v", name, link)
				} else if alert {
					links++
				}
			}
		}
		if links < 10 {
			t.Errorf("only %d alerts", links)
		}
	})
	for _, m := range render(t, "helm4", "repomill/values-ops.yaml", "--set=monitoring.rules=false") {
		if m.Kind == "Rules" {
			t.Error("monitoring.rules=false leaves the rules")
		}
	}
}

// A dashboard arrives in a ConfigMap as its file is, with the braces that templates of Grafana have.
func TestDashboardsAreConfigMaps(t *testing.T) {
	chart := chartCopy(t, "files/rules.yml", "alert:", "alert:")
	const body = "{\"title\": \"Release day\",\n \"legend\": \"{{instance}}\"}\n"
	if err := os.MkdirAll(filepath.Join(chart, "files", "dashboards"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(chart, "files", "dashboards", "own_board.json"), []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, helm := range helms {
		m := find(t, render(t, helm, "repomill/values-ops.yaml", chart), "ConfigMap", "y-repomill-dashboard-own-board")
		got, _ := at(m.raw, "data", "own_board.json").(string)
		if strings.TrimSpace(got) != strings.TrimSpace(body) || m.Metadata.Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s: %q, labels %v", helm, got, m.Metadata.Labels)
		}
	}
}

// A ServiceMonitor finds every pod that has metrics, and names the job after the component.
func TestServiceMonitorSelectsItsService(t *testing.T) {
	all := render(t, "helm4", "repomill/values-ops.yaml", audited, "--set=monitoring.kind=ServiceMonitor")
	service, monitor := find(t, all, "Service", "y-repomill-ops"), find(t, all, "ServiceMonitor", "y-repomill-ops")
	if !selects(monitor.Spec.Selector.MatchLabels, service.Metadata.Labels) {
		t.Errorf("%v does not select %v", monitor.Spec.Selector.MatchLabels, service.Metadata.Labels)
	}
	if got, want := at(monitor.raw, "spec", "endpoints", 0, "port"), at(service.raw, "spec", "ports", 0, "name"); got != want {
		t.Errorf("it reads the port %v, the Service has %v", got, want)
	}
	ports := map[string]int{"resolver": 9102, "api": 9103, "worker": 9101, "audit": 9104}
	for component, want := range ports {
		p, labels, _ := find(t, all, "Deployment", "y-repomill-"+component).pod()
		selector := map[string]string{}
		for k, v := range at(service.raw, "spec", "selector").(map[string]any) {
			selector[k] = v.(string)
		}
		if !selects(selector, labels) {
			t.Errorf("%s is not selected", component)
		}
		for _, port := range p.Containers[0].Ports {
			if port.Name == "ops" && port.Number != want {
				t.Errorf("%s has metrics on %d, want %d", component, port.Number, want)
			}
		}
	}
}
