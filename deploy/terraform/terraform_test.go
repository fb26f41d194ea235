// Package terraform_test checks the modules and environments of this folder with Terraform. Each test works in a copy:
// Terraform writes lock files, states and provider links beside what it reads.
package terraform_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/testdata/deploytest"
)

// mirrorVariable names a folder of providers, HOST/NAMESPACE/NAME/VERSION/OS_ARCH/terraform-provider-NAME_vVERSION, or is
// "direct": Terraform then downloads them.
const mirrorVariable = "REPOMILL_PROVIDER_MIRROR"

// A workspace is a copy of this folder in which Terraform runs.
type workspace struct {
	t       testing.TB
	program string
	root    string   // the copy
	dir     string   // the folder of the copy that Terraform is run in
	env     []string // added to the environment
}

// copied returns a workspace. Terraform runs in the given folder of it, such as "modules/store", with the CLI configuration.
func copied(t testing.TB, folder, configuration string) *workspace {
	t.Helper()
	w := &workspace{t: t, program: deploytest.Tool(t, "terraform"), root: t.TempDir()}
	for _, part := range []string{"modules", "environments"} {
		if _, err := os.Stat(part); err != nil {
			continue
		}
		if err := os.CopyFS(filepath.Join(w.root, part), os.DirFS(part)); err != nil {
			t.Fatal(err)
		}
	}
	w.dir = filepath.Join(w.root, folder)
	cli := filepath.Join(w.root, "terraform.rc")
	if err := os.WriteFile(cli, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	w.env = []string{"TF_CLI_CONFIG_FILE=" + cli, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0"}
	return w
}

// mirrored is a CLI configuration that takes the providers from these folders and from nowhere else; "direct" downloads them.
func mirrored(folders ...string) string {
	var b strings.Builder
	b.WriteString("provider_installation {\n")
	for _, f := range folders {
		if f == "direct" {
			b.WriteString("  direct {}\n")
			continue
		}
		fmt.Fprintf(&b, "  filesystem_mirror {\n    path = %q\n  }\n", f)
	}
	b.WriteString("}\n")
	return b.String()
}

// mirror returns the folder of providers that has the provider, or "direct". The test is skipped where there is none.
func mirror(t testing.TB, provider string) string {
	t.Helper()
	if dir := os.Getenv(mirrorVariable); dir != "" {
		return dir
	}
	home, _ := os.UserHomeDir()
	for _, pattern := range []string{
		filepath.Join(home, ".terraform.d/plugins"), filepath.Join(home, ".local/share/terraform/plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*",
	} {
		found, err := filepath.Glob(filepath.Join(pattern, "*/hashicorp", provider, "*/*/terraform-provider-"+provider+"_v*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			dir := found[0]
			for range 6 { // program, platform, version, name, namespace, host
				dir = filepath.Dir(dir)
			}
			return dir
		}
	}
	t.Skipf("no folder of providers has hashicorp/%s: set %s to one, or to \"direct\" to download it", provider, mirrorVariable)
	return ""
}

// run runs Terraform, and returns what it has written.
func (w *workspace) run(args ...string) (string, error) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), w.program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(slices.Clone(os.Environ()), w.env...)
	// Terraform ends its providers when it is interrupted.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs Terraform, which has to succeed.
func (w *workspace) must(args ...string) string {
	w.t.Helper()
	out, err := w.run(args...)
	if err != nil {
		w.t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs Terraform, which has to fail with a message that contains each of the texts. Line breaks and frames of
// messages are ignored.
func (w *workspace) refused(texts []string, args ...string) {
	w.t.Helper()
	out, err := w.run(args...)
	if err == nil {
		w.t.Fatalf("terraform %s: succeeded, want a failure that says %q\n%s", strings.Join(args, " "), texts, out)
	}
	flat := strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
	for _, text := range texts {
		if !strings.Contains(flat, text) {
			w.t.Errorf("terraform %s: no %q in\n%s", strings.Join(args, " "), text, out)
		}
	}
}

// edit replaces a text in a file of the copy, named below its root. The text has to be there exactly once.
func (w *workspace) edit(file, old, text string) {
	w.t.Helper()
	path := filepath.Join(w.root, file)
	body, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if n := strings.Count(string(body), old); n != 1 {
		w.t.Fatalf("%s has %q %d times, want once", file, old, n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(body), old, text, 1)), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// write adds a file to the folder that Terraform runs in.
func (w *workspace) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// version is the tool's name and version, for the table of what was checked.
func version(t testing.TB) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), deploytest.Tool(t, "terraform"), "version")
	cmd.Env = append(slices.Clone(os.Environ()), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func TestFormat(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "terraform/**/*.tf, *.tftest.hcl", Check: "terraform fmt -check", Tool: version(t), CannotShow: "what the text means"})
	w := copied(t, ".", "")
	if out, err := w.run("fmt", "-check", "-diff", "-recursive"); err != nil {
		t.Errorf("run terraform fmt -recursive deploy/terraform: %v\n%s", err, out)
	}
	t.Run("a file that is not formatted is found", func(t *testing.T) {
		w.write("broken.tf", "locals {\na=1\n}\n")
		w.refused([]string{"broken.tf"}, "fmt", "-check", "-recursive")
	})
}
