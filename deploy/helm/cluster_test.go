package helm_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// foreign are kinds whose definitions only Google's clusters have.
var foreign = []string{"HealthCheckPolicy", "GCPBackendPolicy", "SecretProviderClass"}

// onAnyCluster are values without objects of those kinds.
const onAnyCluster = "--set=gateway.gke=false,urlKey.secretManager=,urlKey.secret.name=url-key"

// A control plane accepts the objects of the chart, refuses broken ones, and carries a release through its life.
func TestControlPlane(t *testing.T) {
	deploytest.Slow(t)
	c := startControl(t)
	crds := filepath.Join(deploytest.Root(t), "bin", "verify", "crds")
	c.definitions(filepath.Join(crds, "gateway-api"), filepath.Join(crds, "prometheus-operator", "monitoring.coreos.com_servicemonitors.yaml"),
		filepath.Join(crds, "prometheus-operator", "monitoring.coreos.com_prometheusrules.yaml"))
	c.namespace("repomill")
	row := deploytest.Row{Files: "helm/repomill", CannotShow: "GKE's own kinds (" + strings.Join(foreign, ", ") + "); programs in the pods; a missing Secret"}
	t.Run("dry run", func(t *testing.T) {
		row := row
		row.Check, row.Tool = "kubectl apply --dry-run=server of pre and ops, restricted pod security; broken copies are refused", "kube-apiserver "+kubernetes
		deploytest.Record(t, row)
		for _, helm := range helms {
			for _, values := range environments {
				for _, set := range []string{"--set=monitoring.kind=ServiceMonitor", "--set=monitoring.kind=none,ingress.enabled=true,ingress.hosts={a.example}"} {
					if out := c.dryRun(t, helm, values, audited, set); out.Code != 0 || strings.Contains(out.Said(), "Warning") {
						t.Errorf("%s %s: %v", values, set, out)
					}
				}
			}
		}
		t.Run("broken", func(t *testing.T) { brokenObjects(t, c) })
	})
	t.Run("Managed Prometheus", func(t *testing.T) {
		row := row
		row.Check, row.Tool = "the same with PodMonitoring and Rules", "kube-apiserver "+kubernetes
		deploytest.Record(t, row)
		c.definitions(filepath.Join(deploytest.Schemas(t), "crds"))
		if out := c.dryRun(t, "helm4", "repomill/values-ops.yaml", audited); out.Code != 0 || strings.Contains(out.Said(), "Warning") {
			t.Error(out)
		}
	})
	for _, helm := range helms {
		t.Run(helm, func(t *testing.T) {
			row := row
			row.Check, row.Tool = "install with its hook, test, upgrade and rollback, each with --wait", version(t, deploytest.Tool(t, helm))+", kube-apiserver "+kubernetes+", kwok"
			deploytest.Record(t, row)
			lifeOfRelease(t, c, helm)
		})
	}
}

// dryRun asks the API server what it thinks of the chart's objects.
func (c *control) dryRun(t testing.TB, helm string, values ...string) proctest.Answer {
	t.Helper()
	text := proctest.Must(t, nil, deploytest.Tool(t, helm), arguments("template", append(values, onAnyCluster)...)...)
	return c.kubectl("apply", "--dry-run=server", "--namespace=repomill", "-f", c.write("rendered.yaml", text))
}

func brokenObjects(t *testing.T, c *control) {
	for _, tt := range []struct{ name, file, old, replacement, want string }{
		{"a field that does not exist", "templates/worker.yaml", "  replicas:", "  replicaz:", "replicaz"},
		{"a quantity that is none", "templates/_container.tpl", "memory: {{ .resources.memory | quote }}", "memory: 2Gx", "quantities must match"},
		{"a selector that does not match", "templates/worker.yaml", "      {{- include \"repomill.podMetadata\" (list . $c)", "      {{- include \"repomill.podMetadata\" (list . \"w\")", "`selector` does not match"},
		{"a name of a release that YAML reads as a boolean", "templates/_helpers.tpl", "(index . 0).Release.Name | quote", "(index . 0).Release.Name", "cannot unmarshal bool"},
		{"a port out of range", "templates/resolver.yaml", `"http" 8080`, `"http" 99999`, "must be between 1 and 65535"},
		{"an autoscaler with fewer at most than at least", "templates/_scaling.tpl", "maxReplicas: {{ .max }}", "maxReplicas: 1", "maxReplicas"},
		{"a pod that may become root", "templates/_pod.tpl", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "would violate PodSecurity"},
		{"a path of a kind that does not exist", "templates/gateway.yaml", "PathPrefix, value: /}", "Prefix, value: /}", "Unsupported value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := c.dryRun(t, "helm4", "repomill/values-ops.yaml", audited, "--set=monitoring.kind=none", chartCopy(t, tt.file, tt.old, tt.replacement))
			if !strings.Contains(out.Said(), tt.want) || out.Code == 0 && !strings.Contains(out.Said(), "Warning") {
				t.Errorf("got %v\nwant %q", out, tt.want)
			}
		})
	}
}

// lifeOfRelease installs a release, tests it, upgrades it, takes the upgrade back, and removes it.
func lifeOfRelease(t *testing.T, c *control, helm string) {
	c.namespace(helm)
	run := func(args ...string) string {
		t.Helper()
		out := c.helm(helm, append(args, "--namespace", helm)...)
		if out.Code != 0 || strings.Contains(strings.ToLower(out.Said()), "warning") {
			t.Fatalf("helm %.100q: %v", args, out)
		}
		return out.Stdout
	}
	values := []string{"repomill", "--values", "repomill/values-pre.yaml", "--wait", "--timeout", "3m", onAnyCluster, audited, "--set=monitoring.kind=ServiceMonitor"}
	ready := func(component string) string {
		return c.kubectl("get", "deployment", "y-repomill-"+component, "--namespace="+helm, "--output=jsonpath={.status.readyReplicas}").Stdout
	}

	notes := run(append([]string{"install", release}, values...)...)
	for _, want := range []string{"url-key (url-key.pem)", "exec deploy/y-repomill-worker", "cronjob/y-repomill-reindex"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
	if got := c.kubectl("get", "job", "y-repomill-migrate", "--namespace="+helm, "--output=jsonpath={.status.succeeded}").Stdout; got != "1" {
		t.Errorf("the migration succeeded %q times", got)
	}
	if got := ready("worker"); got != "1" {
		t.Errorf("%q workers are ready, want 1", got)
	}
	accountToken(t, c, helm)
	run("test", release, "--timeout", "3m")

	run(append([]string{"upgrade", release}, append(values, "--set=worker.replicas=3")...)...)
	if got := ready("worker"); got != "3" {
		t.Errorf("%q workers are ready after the upgrade, want 3", got)
	}
	run("rollback", release, "1", "--wait", "--timeout", "3m")
	proctest.Eventually(t, "one worker is left", func() bool { return ready("worker") == "1" })
	proctest.Eventually(t, "the autoscaler has its least", func() bool { return ready("resolver") == "2" })

	out := c.kubectl("create", "job", "--from=cronjob/y-repomill-reindex", "reindex-1", "--namespace="+helm)
	if out.Code != 0 || strings.Contains(out.Said(), "Warning") {
		t.Error(out)
	}
	proctest.Eventually(t, "the reindex has run", func() bool {
		return c.kubectl("get", "job", "reindex-1", "--namespace="+helm, "--output=jsonpath={.status.succeeded}").Stdout == "1"
	})
	run("uninstall", release, "--wait", "--timeout", "3m")
	left := strings.Fields(c.kubectl("get", "deployments,cronjobs,networkpolicies,horizontalpodautoscalers", "--namespace="+helm, "--output=name").Stdout)
	if slices.Sort(left); len(left) > 0 {
		t.Errorf("an uninstall leaves %s", fmt.Sprint(left))
	}
}
