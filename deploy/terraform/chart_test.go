package terraform_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// checkChart renders the chart with the values of its release and those of the environment, as the guide does.
func checkChart(t *testing.T, m made, name string) {
	const chart = "../helm/repomill"
	if _, err := os.Stat(chart); err != nil {
		t.Skip("there is no chart")
	}
	helm := deploytest.Tool(t, "helm4")
	deploytest.Record(t, deploytest.Row{
		Files: "terraform/environments/" + name + ", helm/repomill", Check: "helm template with the output helm_values", Tool: "helm 4", CannotShow: "whether the resources that are named exist",
	})
	values := filepath.Join(t.TempDir(), "infrastructure.json")
	if err := os.WriteFile(values, m.Outputs["helm_values"].Value, 0o600); err != nil {
		t.Fatal(err)
	}
	render := func(more ...string) ([]byte, error) {
		args := append([]string{"template", "repomill", chart, "--values", filepath.Join(chart, "values-"+name+".yaml"), "--values", values}, more...)
		return exec.CommandContext(t.Context(), helm, args...).CombinedOutput()
	}
	if out, err := render(); err != nil {
		t.Errorf("helm template: %v\n%s", err, out)
	}
	if out, err := render("--set", "urlKey.secretManagr=x"); err == nil {
		t.Errorf("helm template takes a value that the chart does not have:\n%.200s", out)
	}
}

// checkRunbooks checks that each alert links to a runbook that is there.
func checkRunbooks(t *testing.T, m made) {
	t.Helper()
	n := 0
	for _, r := range m.resources() {
		if r.Type != "google_monitoring_alert_policy" {
			continue
		}
		n++
		documentation := r.Values["documentation"].([]any)[0].(map[string]any)
		link := documentation["links"].([]any)[0].(map[string]any)["url"].(string)
		if _, err := fs.Stat(os.DirFS("../runbooks"), path.Base(link)); err != nil {
			if _, err := os.Stat("../runbooks"); err != nil {
				continue
			}
			t.Errorf("%s: there is no deploy/runbooks/%s", r.Address, path.Base(link))
		}
	}
	if n < 30 {
		t.Errorf("%d alerts, want 30 at least", n)
	}
}

var address = regexp.MustCompile(`module\.[a-z]+\.[a-z_]+\.[a-z_]+(\["[a-z-]+"\])?`)

// checkGuide checks that the resources, outputs and values that README.md names are there.
func checkGuide(t *testing.T, m made) {
	t.Helper()
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	addresses := address.FindAllString(string(guide), -1)
	for _, a := range addresses {
		if !slices.ContainsFunc(m.resources(), func(r madeResource) bool { return r.Address == a || strings.HasPrefix(r.Address, a+"[") }) {
			t.Errorf("README.md: nothing is at %s", a)
		}
	}
	outputs := regexp.MustCompile(`terraform output (?:-json )?([a-z_]+)`).FindAllStringSubmatch(string(guide), -1)
	for _, o := range outputs {
		if _, ok := m.Outputs[o[1]]; !ok {
			t.Errorf("README.md: there is no output %s", o[1])
		}
	}
	if len(addresses) < 4 || len(outputs) < 3 {
		t.Errorf("README.md names %d addresses and %d outputs", len(addresses), len(outputs))
	}
}
