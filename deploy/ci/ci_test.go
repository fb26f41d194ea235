// Package ci_test checks the files that projects of a GitLab include, and runs their jobs.
package ci_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

func TestScripts(t *testing.T) {
	shellcheck := deploytest.Tool(t, "shellcheck")
	deploytest.Record(t, deploytest.Row{Files: "ci/install-tools", Check: "shellcheck", Tool: "shellcheck", CannotShow: "behaviour"})
	run(t, ".", shellcheck, "install-tools")
}

// yamlRules are those of yamllint that find faults; lines of scripts are long.
const yamlRules = "{extends: default, rules: {line-length: disable, document-start: disable, comments: disable}}"

func TestYAMLIsWellFormed(t *testing.T) {
	yamllint := deploytest.Tool(t, "yamllint")
	deploytest.Record(t, deploytest.Row{Files: "ci/*.yml", Check: "yamllint; finds a key that is there twice", Tool: "yamllint 1.38.0", CannotShow: "what GitLab makes of it"})
	run(t, ".", yamllint, append([]string{"--strict", "-d", yamlRules}, includes(t)...)...)
	broken := filepath.Join(t.TempDir(), "broken.yml")
	body, err := os.ReadFile("push.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, append(body, "  artifacts: {}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if a := try(t, ".", yamllint, "--strict", "-d", yamlRules, broken); a.Code != 1 || !strings.Contains(a.Stdout, `duplication of key "artifacts"`) {
		t.Error(a)
	}
}

// What GitLab would refuse is found: in the includes, and in what a project makes of them.
func TestIncludes(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{Files: "ci/*.yml", Check: "included with inputs: jobs of a branch and a tag; a missing input, a value that is not right, an unknown stage, an unknown job are found",
		Tool: "gitlab-ci-local 4.75.1", CannotShow: "GitLab's own parser, protected branches and manual jobs in its pages"})
	example := pipeline(t)
	p := newProject(t, example)
	for _, tt := range []struct {
		fact string
		of   map[string]string
		jobs string
	}{
		{"a tag pushes", map[string]string{"CI_COMMIT_TAG": "v1", "CI_COMMIT_BRANCH": ""}, "repomill-push"},
		{"the default branch reindexes and promotes by hand, if it is protected", map[string]string{"CI_COMMIT_REF_PROTECTED": "true"},
			"repomill-promote repomill-promote-dry-run repomill-reindex repomill-reindex-dry-run"},
		{"a branch that is not protected runs dry", map[string]string{"CI_COMMIT_REF_PROTECTED": "false"}, "repomill-promote-dry-run repomill-reindex-dry-run"},
		{"a merge request runs the reindex dry", map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}, "repomill-reindex-dry-run"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			a := p.pipelines(t, tt.of, "--list-csv")
			if got := jobsIn(a.Stdout); a.Code != 0 || got != tt.jobs {
				t.Errorf("got %q, want %q: %v", got, tt.jobs, a)
			}
			if strings.Contains(a.Stdout, "repomill-reindex;") && !strings.Contains(a.Stdout, `;deploy;manual;`) {
				t.Errorf("it is not started by hand: %v", a)
			}
		})
	}
	for _, tt := range []struct{ fact, from, to, says string }{
		{"an input that is missing", "      target: acme/tools/ubuntu/jammy\n", "", "`target` input: required value has not been provided"},
		{"a target without a distribution", "acme/tools/ubuntu/jammy", "acme/tools", "`acme/tools` does not match required regex"},
		{"a flag for a package", "hello* tool=1.0", "--move", "`--move` does not match required regex"},
		{"a stage that the project lacks", "stages: [build, deploy]", "stages: [build]", "stage:deploy not found for repomill-"},
		{"a file that is not there", "ci/push.yml", "ci/pull.yml", "ci/pull.yml"},
		{"a job that waits for another one", "stages:", "late: {stage: deploy, needs: [repomill-pull], script: [\"true\"]}\nstages:", "repomill-pull"},
	} {
		t.Run(tt.fact+" is found", func(t *testing.T) {
			p.write(t, "broken.yml", strings.Replace(example, tt.from, tt.to, 1))
			a := p.pipelines(t, map[string]string{"CI_COMMIT_TAG": "v1"}, "--file", "broken.yml", "--list")
			if a.Code == 0 || !strings.Contains(a.Stderr, tt.says) {
				t.Errorf("got %v, want %q", a, tt.says)
			}
		})
	}
}

// jobsIn returns the names of the jobs of a list, in order of the alphabet.
func jobsIn(list string) string {
	var jobs []string
	for i, line := range strings.Split(strings.TrimSpace(list), "\n") {
		if name, _, _ := strings.Cut(line, ";"); i > 0 {
			jobs = append(jobs, name)
		}
	}
	return strings.Join(slices.Sorted(slices.Values(jobs)), " ")
}

func TestExpandedIncludes(t *testing.T) {
	deploytest.Slow(t)
	schema, verify := deploytest.Tool(t, "check-jsonschema"), deploytest.Tool(t, "gitlab-ci-verify")
	deploytest.Record(t, deploytest.Row{Files: "ci/*.yml", Check: "expanded: GitLab's schema, shellcheck of each script; an unknown keyword and an unquoted variable are found",
		Tool: "check-jsonschema 0.39.0, gitlab-ci-verify 2.11.12, shellcheck", CannotShow: "a GitLab newer than the schema"})
	p := newProject(t, pipeline(t))
	preview := p.preview(t)
	for _, tt := range []struct{ fact, from, to, bySchema, byVerify string }{
		{"no fault", "", "", "", ""},
		{"an unknown keyword", "expire_in:", "expires_in:", "'expires_in' was unexpected", ""},
		{"a value that is none", "when: always", "when: sometimes", "sometimes", ""},
		{"an unquoted variable", "cat repomill-verdicts.jsonl", "cat $REPOMILL_SERVER", "", "SC-2086"},
		{"a variable that nothing sets", `exit "$status"`, `exit "$state"`, "", "SC-2154"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			p.write(t, "expanded.yml", strings.Replace(preview, tt.from, tt.to, 1))
			a := try(t, p.dir, schema, "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", "expanded.yml")
			if (a.Code == 0) != (tt.bySchema == "") || !strings.Contains(a.Said(), tt.bySchema) {
				t.Errorf("schema: got %v, want %q", a, tt.bySchema)
			}
			a = try(t, p.dir, verify, "--no-lint-api", "--gitlab-ci-file", "expanded.yml")
			if (a.Code == 0) != (tt.byVerify == "") || !strings.Contains(a.Said(), tt.byVerify) {
				t.Errorf("scripts: got %v, want %q", a, tt.byVerify)
			}
		})
	}
}
