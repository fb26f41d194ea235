package terraform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

var environments = []string{"pre", "ops"}

func TestEnvironmentsDifferInValuesOnly(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "terraform/environments", Check: "the files of pre and ops are the same, and each value is set in both", Tool: "go test", CannotShow: "whether the values are yours"})
	if faults := differences(t, "environments/pre", "environments/ops"); len(faults) > 0 {
		t.Errorf("pre and ops differ in more than values: %q", faults)
	}
	t.Run("a file that was changed in one is found", func(t *testing.T) {
		broken := t.TempDir()
		if err := os.CopyFS(broken, os.DirFS("environments/ops")); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"main.tf": "locals {}\n", "more.tf": "", "terraform.tfvars": "environment = \"ops\"\n"} {
			if err := os.WriteFile(filepath.Join(broken, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"main.tf", "more.tf", "terraform.tfvars"}
		if got := differences(t, "environments/pre", broken); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestValuesAreDeclared(t *testing.T) {
	for _, name := range environments {
		values, err := os.ReadFile("environments/" + name + "/terraform.tfvars")
		if err != nil {
			t.Fatal(err)
		}
		var declared strings.Builder
		for _, file := range []string{"variables.tf", "variables_aws.tf"} {
			body, err := os.ReadFile("environments/" + name + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			declared.Write(body)
		}
		for _, found := range undeclared(string(values), declared.String()) {
			t.Errorf("%s: the variable %s is not declared: Terraform would only warn", name, found)
		}
	}
	if got := undeclared("alert_email = []\nregion = \"r\"\n", "variable \"region\" {\n}\n"); !slices.Equal(got, []string{"alert_email"}) {
		t.Errorf("got %q", got)
	}
}

// undeclared returns names of values for which there is no variable.
func undeclared(values, variables string) []string {
	var found []string
	for _, m := range setting.FindAllStringSubmatch(values, -1) {
		if !strings.Contains(variables, "variable \""+m[1]+"\" {") {
			found = append(found, m[1])
		}
	}
	return found
}

var setting = regexp.MustCompile(`(?m)^([a-z_]+)\s*=`)

// differences returns the names of files in which two environments differ in more than values.
func differences(t *testing.T, one, other string) []string {
	t.Helper()
	contents := func(dir string) map[string]string {
		files := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			body, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(body)
			if ext := filepath.Ext(e.Name()); ext == ".tfvars" || ext == ".hcl" {
				names := setting.FindAllString(string(body), -1)
				for i, n := range names {
					names[i] = strings.Trim(n, " =")
				}
				slices.Sort(names)
				files[e.Name()] = strings.Join(names, " ")
			}
		}
		return files
	}
	a, b := contents(one), contents(other)
	var found []string
	for name := range a {
		if b[name] != a[name] {
			found = append(found, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// block is a variable or an output, with its name and its arguments.
var block = regexp.MustCompile(`(?ms)^(variable|output) "([a-z_0-9]+)" \{\n(.*?)^\}`)

// undescribed returns variables and outputs of a file without a description, and variables without a type.
func undescribed(text string) []string {
	var found []string
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		kind, name, body := m[1], m[2], m[3]
		if !regexp.MustCompile(`(?m)^  description\s*= "[A-Z].{5,}"$`).MatchString(body) {
			found = append(found, kind+" "+name+" has no description")
		}
		if kind == "variable" && !regexp.MustCompile(`(?m)^  type\s*=`).MatchString(body) {
			found = append(found, kind+" "+name+" has no type")
		}
	}
	return found
}

func TestVariablesAreDescribed(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".tf" {
			return err
		}
		body, err := os.ReadFile(path)
		n += len(block.FindAllString(string(body), -1))
		for _, found := range undescribed(string(body)) {
			t.Errorf("%s: %s", path, found)
		}
		return err
	})
	if err != nil || n < 100 {
		t.Errorf("%d variables and outputs, %v", n, err)
	}
	want := []string{"variable a has no description", "variable a has no type"}
	if got := undescribed("variable \"a\" {\n  default = 1\n}\n"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
