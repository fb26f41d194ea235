package terraform_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// The commands of the drill change what is global in AWS, the distribution and roles, and nothing in a region.
func TestCommandsOfTheLostRegion(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{
		Files: "runbooks/drill-lose-the-region.md", Check: "targets and values of its terraform commands, applied to mocks: what they change", Tool: version(t), CannotShow: "that AWS takes the changes while a region is lost",
	})
	drill, err := os.ReadFile("../runbooks/drill-lose-the-region.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^    terraform .* apply (.*)$`).FindAllStringSubmatch(string(drill), -1)
	if len(commands) != 4 {
		t.Fatalf("the drill has %d commands of terraform, want 4", len(commands))
	}
	w := environmentCopy(t, "ops", googleProviders(t))
	w.edit("environments/ops/tests/environment.tftest.hcl", "run \"environment\" {\n", runsOf(t, commands)+"run \"last\" {\n")
	states := w.applies()
	if len(states) != 6 {
		t.Fatalf("%d states, want 6", len(states))
	}
	const (
		cdn     = "module.cdn.aws_cloudfront_distribution.this"
		serve   = `module.federation.aws_iam_role_policy.this["serve"]`
		publish = `module.federation.aws_iam_role_policy.this["publish"]`
		rights  = "module.store.aws_iam_role_policy.replication"
	)
	for i, want := range [][]string{{cdn, serve}, {cdn, serve}, {publish, rights}, {cdn, serve}} {
		if got := changed(states[i], states[i+1]); !slices.Equal(got, want) {
			t.Errorf("%s changes %q, want %q", commands[i][1], got, want)
		}
	}
	var before, after map[string]any
	for state, values := range map[int]*map[string]any{0: &before, 1: &after} {
		if err := json.Unmarshal(states[state].Outputs["helm_values"].Value, values); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Error("a targeted apply changes helm_values: the drill says that it does not")
	}
}

// runsOf are runs of a test: the whole environment, and then each command.
func runsOf(t *testing.T, commands [][]string) string {
	t.Helper()
	var runs strings.Builder
	runs.WriteString("run \"whole\" {\n  command = apply\n}\n\n")
	for i, c := range commands {
		var targets, values []string
		words := strings.Fields(c[1])
		for at, word := range words {
			target, ok := strings.CutPrefix(word, "-target=")
			switch {
			case ok:
				targets = append(targets, target)
			case word == "-refresh=false":
			case word == "-var":
				name, value, _ := strings.Cut(words[at+1], "=")
				if value != "false" {
					value = `"` + value + `"`
				}
				values = append(values, name+" = "+value)
			case at == 0 || words[at-1] != "-var":
				t.Fatalf("the test does not know %q of %s", word, c[1])
			}
		}
		runs.WriteString("run \"command_" + string(rune('a'+i)) + "\" {\n  command = apply\n  plan_options {\n    refresh = false\n    target = [" + strings.Join(targets, ", ") +
			"]\n  }\n  variables {\n    " + strings.Join(values, "\n    ") + "\n  }\n}\n\n")
	}
	return runs.String()
}

// changed are the managed resources that differ, in order.
func changed(before, after made) (addresses []string) {
	old := map[string]map[string]any{}
	for _, r := range before.resources() {
		old[r.Address] = r.Values
	}
	for _, r := range after.resources() {
		if r.Mode == "managed" && !reflect.DeepEqual(old[r.Address], r.Values) {
			addresses = append(addresses, r.Address)
		}
	}
	slices.Sort(addresses)
	return addresses
}
