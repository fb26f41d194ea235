package ci_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// pipeline returns the example of deploy/ci.md that uses all includes, which are files of the project here.
func pipeline(t *testing.T) string {
	t.Helper()
	guide, err := os.ReadFile("../ci.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(stages: .*?)```").FindSubmatch(guide)
	if example == nil {
		t.Fatal("there is no example")
	}
	file := regexp.MustCompile(`- project: \S+\n    ref: \S+\n    file: deploy/ci/(\S+)`)
	if n := len(file.FindAll(example[1], -1)); n != 3 {
		t.Fatalf("the example includes %d files of 3", n)
	}
	return file.ReplaceAllString(string(example[1]), "- local: ci/$1")
}

// includes are the files that projects include.
func includes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%q, %v", files, err)
	}
	return files
}

// A project is a checkout of a repository at GitLab.
type project struct {
	dir   string
	local string // gitlab-ci-local
}

// newProject makes a project with the includes in its folder ci, and its own file.
func newProject(t *testing.T, file string) project {
	t.Helper()
	p := project{dir: t.TempDir(), local: deploytest.Tool(t, "gitlab-ci-local")}
	proctest.Need(t, "git")
	for _, name := range includes(t) {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.write(t, "ci/"+name, string(body))
	}
	p.write(t, ".gitlab-ci.yml", file)
	p.write(t, ".gitignore", ".gitlab-ci-local/\n")
	run(t, p.dir, "sh", "-ec", `git init -q -b main . && git add -A
		git -c user.name=tester -c user.email=tester@example.org -c commit.gpgsign=false commit -qm project
		git remote add origin git@gitlab.acme.example:acme/tools.git
		git update-ref refs/remotes/origin/main HEAD && git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main`)
	return p
}

func (p project) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// pipelines runs gitlab-ci-local with variables of the pipeline. HOME is a folder of the test: it reads variables below it.
func (p project) pipelines(t *testing.T, variables map[string]string, args ...string) proctest.Answer {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		args = append(args, "--variable", name+"="+variables[name])
	}
	cmd := exec.Command(p.local, append(args, "--no-color")...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GCL_IGNORE_PREDEFINED_VARS=" + strings.Join(slices.Sorted(maps.Keys(variables)), ",")}
	a, err := proctest.Finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// preview is what GitLab makes of the project's file: one document, in which inputs have their values.
func (p project) preview(t *testing.T) string {
	t.Helper()
	a := p.pipelines(t, nil, "--preview")
	if a.Code != 0 || !strings.Contains(a.Stdout, "repomill-push:") {
		t.Fatal(a)
	}
	return a.Stdout
}

// run runs a program that succeeds, and returns what it printed.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	a := try(t, dir, program, args...)
	if a.Code != 0 {
		t.Fatalf("%s %q: %v", program, args, a)
	}
	return a.Stdout
}

// try runs a program.
func try(t *testing.T, dir, program string, args ...string) proctest.Answer {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	a, err := proctest.Finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
