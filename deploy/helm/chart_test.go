// Package helm_test checks the chart: its values and what they refuse, the manifests, a control plane that installs it, and the
// commands of its pods, which it runs on loopback.
package helm_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"repomill/testdata/deploytest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
)

func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }

// helms are the versions that install the chart.
var helms = []string{"helm3", "helm4"}

// release is the name of releases: it is a boolean where a manifest does not quote it.
const release = "y"

// A manifest is what these tests read of an object.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Replicas    *int
		Suspend     bool
		Template    template
		JobTemplate struct{ Spec struct{ Template template } } `yaml:"jobTemplate"`
	}
	raw map[string]any
}

type template struct {
	Metadata struct{ Labels map[string]string }
	Spec     pod
}

type pod struct {
	Account        string         `yaml:"serviceAccountName"`
	Automount      *bool          `yaml:"automountServiceAccountToken"`
	Grace          int            `yaml:"terminationGracePeriodSeconds"`
	Security       map[string]any `yaml:"securityContext"`
	InitContainers []container    `yaml:"initContainers"`
	Containers     []container
	Volumes        []map[string]any
}

type container struct {
	Name, Image   string
	RestartPolicy string `yaml:"restartPolicy"`
	Command, Args []string
	Env           []struct{ Name, Value string }
	Ports         []struct {
		Name   string
		Number int `yaml:"containerPort"`
	}
	Mounts []struct {
		Name string
		Path string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources struct{ Requests, Limits map[string]string }
	Security  map[string]any `yaml:"securityContext"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// pod returns the pods that an object makes, if it makes any.
func (m manifest) pod() (pod, map[string]string, bool) {
	for _, t := range []template{m.Spec.Template, m.Spec.JobTemplate.Spec.Template} {
		if len(t.Spec.Containers) > 0 {
			return t.Spec, t.Metadata.Labels, true
		}
	}
	return pod{}, nil, false
}

// env returns the environment of a container.
func (c container) env() map[string]string {
	all := map[string]string{}
	for _, e := range c.Env {
		all[e.Name] = e.Value
	}
	return all
}

// render returns what the chart makes with values: names of files beside this test, or arguments such as --set=a=b.
func render(t testing.TB, helm string, values ...string) []manifest {
	t.Helper()
	return renderAs(t, helm, release, values...)
}

func renderAs(t testing.TB, helm, release string, values ...string) []manifest {
	t.Helper()
	args := arguments("template", values...)
	args[1] = release
	return parse(t, proctest.Must(t, nil, deploytest.Tool(t, helm), args...))
}

// arguments are those of a command on the chart. The version of Kubernetes is that of the control plane.
func arguments(command string, values ...string) []string {
	args := []string{command}
	if command == "template" {
		args = append(args, release, "--kube-version", kubernetes, "--namespace", "repomill")
	}
	chart := "repomill"
	for _, v := range values {
		switch {
		case strings.HasPrefix(v, "--"):
			args = append(args, v)
		case strings.HasSuffix(v, ".yaml"):
			args = append(args, "--values", v)
		default:
			chart = v
		}
	}
	return append(args, chart)
}

func parse(t testing.TB, text string) (all []manifest) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var node yaml.Node
		if err := d.Decode(&node); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		m := manifest{raw: map[string]any{}}
		if err := node.Decode(&m.raw); err != nil {
			t.Fatal(err)
		}
		if len(m.raw) == 0 {
			continue
		}
		node.Decode(&m) //nolint:errcheck // fields of other kinds have other forms
		all = append(all, m)
	}
}

// find returns the object of a kind and name.
func find(t testing.TB, all []manifest, kind, name string) manifest {
	t.Helper()
	for _, m := range all {
		if m.Kind == kind && m.Metadata.Name == name {
			return m
		}
	}
	t.Fatalf("the chart has no %s %s", kind, name)
	return manifest{}
}

// at returns a field of an object.
func at(value any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[p]
		case int:
			l, _ := value.([]any)
			if p >= len(l) {
				return nil
			}
			value = l[p]
		}
	}
	return value
}

// environments are the values of both environments.
var environments = []string{"repomill/values-pre.yaml", "repomill/values-ops.yaml"}

// audited turns on the audit, which the files of values leave off until the keys that clients trust are in the cluster.
const audited = "--set=audit.enabled=true"

// chartCopy returns a copy of the chart, in which one file was changed.
func chartCopy(t testing.TB, file, old, replacement string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repomill")
	if err := os.CopyFS(dir, os.DirFS("repomill")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), old) {
		t.Fatalf("%s does not have %q", file, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(body), old, replacement, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
