package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

func TestTrust(t *testing.T) {
	t.Parallel()
	data := newCatalog(t)
	does := func(code int, out, says string, args ...string) proctest.Answer {
		t.Helper()
		a := repomill(t, append(args, "--data", data)...)
		if a.Code != code || out != "" && a.Stdout != out || a.Stderr != says && says != "" {
			t.Errorf("%q: got %v, want %d, %q and %q", args, a, code, out, says)
		}
		return a
	}
	does(0, "no ID tokens are trusted; repomill trust add does that\n", "", "trust", "list")
	add := []string{"trust", "add", "acme/tools", "--issuer", "https://gitlab.acme.example", "--audience", "packages.acme.example",
		"--claim", "project_path=acme/tools", "--claim", "ref=v*;x,y=z", "--claim", "ref_protected=true"}
	does(1, "", "repomill: repository acme/tools is not declared; declare it with repomill repo create\n", add...)
	repomill(t, "repo", "create", "acme/tools", "--data", data)
	first := does(0, "", "", add...)
	id := strings.TrimSpace(first.Stdout)
	if want := "ID tokens of https://gitlab.acme.example for packages.acme.example with project_path=acme/tools ref=v*;x,y=z ref_protected=true may push in acme/tools. Remove that with repomill trust remove " + id + ".\n"; first.Stderr != want {
		t.Errorf("add says %q, want %q", first.Stderr, want)
	}
	does(0, id+"\n", "", add...)
	owner := strings.TrimSpace(does(0, "", "", "trust", "add", "acme", "--issuer", "https://token.actions.githubusercontent.com", "--audience", "packages.acme.example", "--scope", "manage",
		"--claim", "repository_id=424242", "--claim", "repository_owner_id=2020", "--claim", "environment=release").Stdout)

	var got catalog.Trust
	list := does(0, "", "", "trust", "list", "acme/tools", "--json")
	lines := strings.Split(strings.TrimSpace(list.Stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil || len(lines) != 2 {
		t.Fatalf("list: %v, %v", list, err)
	}
	want := catalog.Trust{ID: id, Owner: "acme", Name: "tools", Scope: "push", Issuer: "https://gitlab.acme.example", Audience: "packages.acme.example",
		Claims: map[string]string{"project_path": "acme/tools", "ref": "v*;x,y=z", "ref_protected": "true"}, Created: got.Created}
	if diff := cmp.Diff(want, got); diff != "" || got.Created.IsZero() {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if a := does(0, "", "", "trust", "list"); !strings.HasPrefix(a.Stdout, "ID                TARGET      SCOPE   ISSUER") || !strings.Contains(a.Stdout, "\n"+owner+"  acme        manage  https://token.actions.githubusercontent.com") {
		t.Errorf("list: %v", a)
	}
	does(0, "no ID tokens are trusted; repomill trust add does that\n", "", "trust", "list", "other")
	does(0, "removed: ID tokens of https://gitlab.acme.example with project_path=acme/tools ref=v*;x,y=z ref_protected=true do not open acme/tools any more\n", "", "trust", "remove", id)
	does(1, "", "repomill: there is no trust \""+id+"\"; repomill trust list shows which there are\n", "trust", "remove", id)
	if a := does(0, "", "", "trust", "list", "--json"); strings.Count(a.Stdout, "\n") != 1 || !strings.Contains(a.Stdout, owner) {
		t.Errorf("what is left: %v", a)
	}
}

// What would trust too many is refused before anything is stored.
func TestTrustUsage(t *testing.T) {
	t.Parallel()
	data := newCatalog(t)
	const gitlab = "https://gitlab.acme.example"
	for _, tt := range []struct {
		fact, target, issuer string
		more                 []string
		says                 string // the beginning
	}{
		{"no claim", "acme/tools", gitlab, nil, "missing: --claim=NAME=VALUE; see repomill trust add --help"},
		{"a claim without a value", "acme/tools", gitlab, []string{"--claim", "project_path"}, `--claim "project_path": use NAME=VALUE, such as project_path=acme/tools`},
		{"a claim twice", "acme/tools", gitlab, []string{"--claim", "ref=a", "--claim", "ref=b"}, "--claim ref: it is there twice; use one, or add a trust for each value"},
		{"an owner that cannot be", "Acme", gitlab, []string{"--claim", "sub=x"}, `owner "Acme": use 1 to 63`},
		{"a repository that cannot be", "acme/tools/x", gitlab, []string{"--claim", "sub=x"}, `repository "acme/tools/x": `},
		{"everything", "", gitlab, []string{"--claim", "sub=x"}, `owner "": use 1 to 63`},
		{"http", "acme/tools", "http://gitlab.acme.example", []string{"--claim", "sub=x"}, `issuer "http://gitlab.acme.example": use its https URL as in the claim iss`},
		{"names at a shared issuer", "acme/tools", "https://gitlab.com", []string{"--claim", "project_path=acme/tools"},
			"anybody can get tokens of gitlab.com, and names there can be registered again: add --claim project_id=… --claim namespace_id=…, which never changes"},
		{"another scope", "acme/tools", gitlab, []string{"--claim", "sub=x", "--scope", "all"}, `--scope "all": use push or manage or read; see repomill trust add --help`},
	} {
		args := append([]string{"trust", "add", tt.target, "--issuer", tt.issuer, "--audience", "packages.acme.example", "--data", data}, tt.more...)
		if a := repomill(t, args...); a.Code != 2 || !strings.HasPrefix(lastLine(a.Stderr), "repomill: "+tt.says) {
			t.Errorf("%s: got %v, want %q", tt.fact, a, tt.says)
		}
	}
	if a := repomill(t, "trust", "list", "--json", "--data", data); a.Code != 0 || a.Stdout != "" {
		t.Errorf("something was stored: %v", a)
	}
}

// The trusts of deploy/ci.md can be added as they are written.
func TestTrustsOfTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../deploy/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    repomill trust add (?:.*\\\n)*.*$`).FindAllString(string(guide), -1)
	if len(lines) != 3 {
		t.Fatalf("got %q, want 3 commands", lines)
	}
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	data := newCatalog(t)
	repomill(t, "repo", "create", "acme/tools", "--data", data)
	env := []string{"PATH=" + filepath.Dir(bin) + ":" + os.Getenv("PATH"), "REPOMILL_DATA=" + data}
	for _, line := range lines {
		if a := proctest.Run(t, env, "sh", "-c", line); a.Code != 0 || len(a.Stdout) != 17 {
			t.Errorf("%s: %v", line, a)
		}
	}
}

// newCatalog returns a folder with an empty catalog.
func newCatalog(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	return data
}
