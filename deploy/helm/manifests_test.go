package helm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/deploytest"
)

// What the manifests of both environments have to be like, whichever helm makes them.
func TestManifests(t *testing.T) {
	for _, helm := range helms {
		t.Run(helm, func(t *testing.T) {
			deploytest.Record(t, deploytest.Row{Files: "helm/repomill", Check: "manifests: variables are those of the commands, limits, probes, pauses, identities, networks",
				Tool: version(t, deploytest.Tool(t, helm)), CannotShow: "whether a network plugin enforces the policies"})
			for _, values := range environments {
				t.Run(filepath.Base(values), func(t *testing.T) {
					all := render(t, helm, values, audited)
					for _, p := range manifestProblems(t, all) {
						t.Error(p)
					}
				})
			}
		})
	}
}

// Both versions of helm make the same objects.
func TestHelmsAgree(t *testing.T) {
	raw := func(helm, values string) map[string]any {
		all := map[string]any{}
		for _, m := range render(t, helm, values, audited) {
			all[m.Kind+" "+m.Metadata.Name] = m.raw
		}
		return all
	}
	for _, values := range environments {
		if diff := cmp.Diff(raw("helm3", values), raw("helm4", values)); diff != "" {
			t.Errorf("%s (-helm 3 +helm 4):\n%s", values, diff)
		}
	}
}

// manifestProblems says what is wrong with the objects of the chart.
func manifestProblems(t testing.TB, all []manifest) (problems []string) {
	pods := 0
	for _, m := range all {
		p, labels, ok := m.pod()
		if !ok {
			continue
		}
		pods++
		for _, problem := range slices.Concat(podProblems(t, p), policyProblems(all, labels), selectorProblems(m, labels)) {
			problems = append(problems, fmt.Sprintf("%s %s: %s", m.Kind, m.Metadata.Name, problem))
		}
	}
	if pods < 8 {
		problems = append(problems, fmt.Sprintf("only %d objects make pods", pods))
	}
	return append(problems, referenceProblems(all)...)
}

func podProblems(t testing.TB, p pod) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if p.Automount == nil || *p.Automount {
		wrong("mounts a token for the API server")
	}
	for _, c := range slices.Concat(p.InitContainers, p.Containers) {
		switch {
		case c.Resources.Limits["memory"] == "" || c.Resources.Limits["memory"] != c.Resources.Requests["memory"]:
			wrong("%s: the limit of memory is not the request", c.Name)
		case c.Resources.Limits["cpu"] != "":
			wrong("%s: its processors are limited", c.Name)
		case c.Security["readOnlyRootFilesystem"] != true:
			wrong("%s can write to its image", c.Name)
		}
	}
	for _, c := range p.Containers {
		env := c.env()
		if got, want := env["GOMEMLIMIT"], nineTenths(t, c.Resources.Limits["memory"]); got != want {
			wrong("GOMEMLIMIT is %s, want %s", got, want)
		}
		if c.Liveness.HTTPGet.Path != "" && (c.Liveness.HTTPGet.Path != "/healthz" || c.Readiness.HTTPGet.Path != "/readyz" && c.Name != "audit") {
			wrong("liveness asks %s, readiness %s", c.Liveness.HTTPGet.Path, c.Readiness.HTTPGet.Path)
		}
		if grace := seconds(t, env["REPOMILL_GRACE"]) + c.Lifecycle.PreStop.Sleep.Seconds; grace >= p.Grace && grace > 0 {
			wrong("SIGKILL after %d seconds, running work may take %d", p.Grace, grace)
		}
		for _, name := range unknownVariables(t, c) {
			wrong("sets %s, which %q does not have", name, c.Args)
		}
	}
	return problems
}

// nineTenths is a quantity of memory as GOMEMLIMIT should have it.
func nineTenths(t testing.TB, memory string) string {
	t.Helper()
	number, unit := memory[:max(0, len(memory)-2)], memory[max(0, len(memory)-2):]
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("memory %q: %v", memory, err)
	}
	if unit == "Gi" {
		n *= 1024
	}
	return fmt.Sprintf("%dMiB", n*9/10)
}

func seconds(t testing.TB, duration string) int {
	t.Helper()
	if duration == "" {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(duration, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var variable = regexp.MustCompile(`\$(REPOMILL_[A-Z_]+)`)

// unknownVariables returns the variables that the page of a container's command does not have. A shell may run all commands.
func unknownVariables(t testing.TB, c container) (unknown []string) {
	t.Helper()
	doc, err := os.ReadFile("../commands.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(doc)
	if len(c.Command) == 0 {
		heading := "\n### repomill " + strings.Join(c.Args[:min(1, len(c.Args))], " ") + "\n"
		if len(c.Args) > 1 && !strings.HasPrefix(c.Args[1], "-") && strings.Contains(page, "\n### repomill "+c.Args[0]+" "+c.Args[1]+"\n") {
			heading = "\n### repomill " + c.Args[0] + " " + c.Args[1] + "\n"
		}
		if len(c.Args) == 0 {
			heading = "\n## repomill-resolver\n"
		}
		_, after, found := strings.Cut(page, heading)
		if !found {
			return []string{"the command " + strings.TrimSpace(heading)}
		}
		page, _, _ = strings.Cut(after, "\n##")
	}
	known := map[string]bool{}
	for _, m := range variable.FindAllStringSubmatch(page, -1) {
		known[m[1]] = true
	}
	for name := range c.env() {
		if strings.HasPrefix(name, "REPOMILL_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// selectorProblems says that a Deployment or a job has pods that it does not select, or that change with a release.
func selectorProblems(m manifest, labels map[string]string) (problems []string) {
	if m.Kind == "Deployment" && !selects(m.Spec.Selector.MatchLabels, labels) {
		problems = append(problems, "its selector does not match its pods")
	}
	for _, changing := range []string{"helm.sh/chart", "app.kubernetes.io/version"} {
		if m.Spec.Selector.MatchLabels[changing] != "" {
			problems = append(problems, "its selector changes with a release: "+changing)
		}
	}
	return problems
}

func selects(selector, labels map[string]string) bool {
	if len(selector) == 0 {
		return false
	}
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// policyProblems says that not exactly one network policy is about a pod.
func policyProblems(all []manifest, labels map[string]string) []string {
	n := 0
	for _, m := range all {
		if m.Kind == "NetworkPolicy" {
			selector := map[string]string{}
			labelsOf, _ := at(m.raw, "spec", "podSelector", "matchLabels").(map[string]any)
			for k, v := range labelsOf {
				selector[k] = fmt.Sprint(v)
			}
			if selects(selector, labels) {
				n++
			}
		}
	}
	if n != 1 {
		return []string{fmt.Sprintf("%d network policies are about its pods", n)}
	}
	return nil
}

// referenceProblems names Services, budgets and autoscalers that are about nothing, and accounts that do not exist.
func referenceProblems(all []manifest) (problems []string) {
	names := map[string]bool{}
	var pods []map[string]string
	for _, m := range all {
		names[m.Kind+" "+m.Metadata.Name] = true
		if _, labels, ok := m.pod(); ok {
			pods = append(pods, labels)
		}
	}
	for _, m := range all {
		selector := map[string]string{}
		switch m.Kind {
		case "Service":
			labels, _ := at(m.raw, "spec", "selector").(map[string]any)
			for k, v := range labels {
				selector[k] = fmt.Sprint(v)
			}
		case "PodDisruptionBudget", "PodMonitoring":
			selector = m.Spec.Selector.MatchLabels
		case "HorizontalPodAutoscaler":
			if target := fmt.Sprint(at(m.raw, "spec", "scaleTargetRef", "name")); !names["Deployment "+target] {
				problems = append(problems, m.Metadata.Name+" scales "+target+", which does not exist")
			}
			continue
		default:
			if p, _, ok := m.pod(); ok && !names["ServiceAccount "+p.Account] {
				problems = append(problems, m.Metadata.Name+" has the account "+p.Account+", which does not exist")
			}
			continue
		}
		if !slices.ContainsFunc(pods, func(l map[string]string) bool { return selects(maps.Clone(selector), l) }) {
			problems = append(problems, m.Kind+" "+m.Metadata.Name+" selects no pods")
		}
	}
	return problems
}
