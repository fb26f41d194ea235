package publish_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

// dnf 4 refuses a package that a module was built from, unless the configuration says that its repository has none.
func TestDnfInstallsWhatAModuleWasBuiltFrom(t *testing.T) {
	for _, program := range []string{"dnf", "createrepo_c"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	dir := t.TempDir()
	const modularityLabel = 5096
	b := rpmtest.Edit(t, rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"}), func(m map[uint32]rpmtest.Entry) {
		m[modularityLabel] = rpmtest.Entry{Type: 6, Count: 1, Data: []byte("nodejs:18:1:abc\x00")}
	}, nil)
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("repo/hello.rpm", string(b))
	if out, err := exec.Command("createrepo_c", "-q", dir+"/repo").CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
	var repo string
	simulate(t, func(t *testing.T, w *world) {
		w.publish(el9)
		repo = string(w.bucket.Bytes(layout.RepoKey(tools, el9.Distribution)))
	})
	repo, _, _ = strings.Cut(repo, "\n\n") // the sources are another section
	repo = regexp.MustCompile(`(?m)^baseurl=.*$`).ReplaceAllString(repo, "baseurl=file://"+dir+"/repo")
	repo = strings.ReplaceAll(repo, "repo_gpgcheck=1", "repo_gpgcheck=0")
	install := func(name, repo string) (string, error) {
		write(name+"/repos/acme.repo", repo)
		at := filepath.Join(dir, name)
		write(name+"/dnf.conf", fmt.Sprintf("[main]\nreposdir=%[1]s/repos\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\nvarsdir=%[1]s/vars\ninstallroot=%[1]s/root\nmodule_platform_id=platform:el9\ntsflags=test\n", at))
		out, err := exec.Command("dnf", "-y", "-c", at+"/dnf.conf", "--noplugins", "--releasever=9", "--forcearch=x86_64", "install", "hello").CombinedOutput()
		return string(out), err
	}
	if out, err := install("with", repo); err != nil {
		t.Errorf("dnf: %v\n%s", err, out)
	}
	if out, err := install("without", strings.ReplaceAll(repo, "module_hotfixes=1\n", "")); err == nil || !strings.Contains(out, "modular") {
		t.Errorf("without the option: got %v, want a refusal\n%s", err, out)
	}
}
