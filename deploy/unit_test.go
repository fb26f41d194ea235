package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A unit is what these tests take from a systemd unit: how to run it, with which files and environment.
type unit struct {
	pre, start  string
	environment map[string]string
	credentials map[string]string // id -> file on the machine
	envFile     string
}

// readUnit reads deploy/systemd/<name>.service.
func readUnit(t testing.TB, name string) unit {
	t.Helper()
	u := unit{environment: map[string]string{}, credentials: map[string]string{}}
	for _, line := range lines(t, "systemd/"+name+".service") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ExecStartPre":
			u.pre = value
		case "ExecStart":
			u.start = value
		case "EnvironmentFile":
			u.envFile = value
		case "Environment":
			k, v, _ := strings.Cut(value, "=")
			u.environment[k] = v
		case "LoadCredential":
			id, file, _ := strings.Cut(value, ":")
			u.credentials[id] = file
		}
	}
	return u
}

// lines returns the lines of a file that are neither empty nor comments.
func lines(t testing.TB, path string) (all []string) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// environmentOf returns the environment in which systemd would run a unit, with the example of its
// environment file, in which each value is replaced by that of this test.
func (u unit) environmentOf(t testing.TB, example, credentials string, values map[string]string) []string {
	t.Helper()
	env := maps.Clone(u.environment)
	var named []string
	for _, line := range lines(t, "systemd/"+example) {
		key, _, _ := strings.Cut(line, "=")
		value, ok := values[key]
		if !ok {
			t.Errorf("%s sets %s, which the test does not know", example, key)
		}
		env[key], named = value, append(named, key)
	}
	for key := range values {
		if !slices.Contains(named, key) {
			t.Errorf("%s does not set %s", example, key)
		}
	}
	all := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	for key, value := range env {
		all = append(all, key+"="+strings.NewReplacer("%d", credentials, "%C", filepath.Dir(credentials)).Replace(value))
	}
	return all
}

// The units are what systemd understands.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"repomill-worker", "repomill-api", "repomill-resolver"} {
		body, err := os.ReadFile("systemd/" + name + ".service")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(body), "/usr/local/bin/repomill-resolver", "/bin/true")
		text = strings.ReplaceAll(text, "/usr/local/bin/repomill", "/bin/true")
		path := filepath.Join(dir, name+".service")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(out), name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// install puts credentials where systemd would, and returns the folder.
func (u unit) install(t testing.TB, files map[string][]byte) (credentials string) {
	t.Helper()
	dir := t.TempDir()
	for id, file := range u.credentials {
		body, ok := files[id]
		if !ok {
			t.Fatalf("the unit loads %s from %s, which the test does not have", id, file)
		}
		if err := os.WriteFile(filepath.Join(dir, id), body, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// command returns a command line of a unit with the program that was built for the test.
func command(t testing.TB, line, bin string) []string {
	t.Helper()
	args := strings.Fields(line)
	name, ok := strings.CutPrefix(args[0], "/usr/local/bin/")
	if !ok {
		t.Fatalf("%q does not start a program in /usr/local/bin", line)
	}
	return append([]string{fmt.Sprintf("%s/%s", bin, name)}, args[1:]...)
}
