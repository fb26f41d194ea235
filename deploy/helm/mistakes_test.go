package helm_test

import (
	"strings"
	"testing"
)

// The checks of manifests find mistakes in a copy of the chart.
func TestManifestMistakesAreFound(t *testing.T) {
	for _, tt := range []struct {
		name, file, old, replacement, want string
	}{
		{"a variable that no flag has", "templates/worker.yaml", `"REPOMILL_CREATE"`, `"REPOMILL_CREAT"`, "sets REPOMILL_CREAT, which"},
		{"a variable of another command", "templates/api.yaml", `"REPOMILL_STAGING"`, `"REPOMILL_EVENTS"`, "sets REPOMILL_EVENTS, which"},
		{"a command that does not exist", "templates/migrate.yaml", `(list "migrate")`, `(list "migrat")`, "repomill migrat"},
		{"a selector that does not match", "templates/worker.yaml", "      {{- include \"repomill.podMetadata\" (list . $c)", "      {{- include \"repomill.podMetadata\" (list . \"w\")", "selector does not match"},
		{"a limit that is not the request", "templates/_container.tpl", "    limits:\n      memory: {{ .resources.memory | quote }}", "    limits:\n      memory: 1Ti", "limit of memory"},
		{"a token that is mounted", "templates/_pod.tpl", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "mounts a token"},
		{"liveness that asks the bucket", "templates/_container.tpl", "livenessProbe:\n    httpGet: {path: /healthz", "livenessProbe:\n    httpGet: {path: /readyz", "liveness asks /readyz"},
		{"a kill before the end of running work", "templates/worker.yaml", "(add $w.graceSeconds 15)", "30", "SIGKILL after 30"},
		{"a program without a memory limit of Go", "templates/_helpers.tpl", "(mul 9 ", "(mul 10 ", "GOMEMLIMIT is"},
		{"an account that does not exist", "templates/serviceaccounts.yaml", `(ne $component "migrate")`, `(ne $component "worker")`, "repomill-worker, which does not exist"},
		{"a component without a network policy", "templates/networkpolicies.yaml", `"worker" (dict`, `"warker" (dict`, "0 network policies"},
		{"an autoscaler of nothing", "templates/_scaling.tpl", `(index $ 0) }}-{{ index $ 1 }}`, `(index $ 0) }}`, "which does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := render(t, "helm4", "repomill/values-ops.yaml", audited, chartCopy(t, tt.file, tt.old, tt.replacement))
			if problems := strings.Join(manifestProblems(t, all), "\n"); !strings.Contains(problems, tt.want) {
				t.Errorf("got %q, want %q", problems, tt.want)
			}
		})
	}
}
