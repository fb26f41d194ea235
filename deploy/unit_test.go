package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
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
	proctest.Need(t, "systemd-analyze")
	deploytest.Record(t, deploytest.Row{Files: "systemd/", Check: "systemd-analyze verify, and an exposure of 2.0 at most", Tool: systemdVersion(t), CannotShow: "the programs within those limits: TestOneMachine runs those of repomill.service and repomill-backup.service"})
	units := slices.Concat(glob(t, "systemd/*.service"), glob(t, "systemd/*.timer"))
	if len(units) < 6 {
		t.Fatalf("units: %q", units)
	}
	for _, unit := range units {
		body, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		if faults := judgeUnits(t, map[string]string{filepath.Base(unit): string(body)}); len(faults) > 0 {
			t.Errorf("%s: %s", unit, strings.Join(faults, "\n"))
		}
	}
	body, err := os.ReadFile("systemd/repomill.service")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a misspelled setting is found":               {"StateDirectory=", "StatesDirectory="},
		"a value that is none is found":               {"Type=notify", "Type=notifies"},
		"a service that may call everything is found": {"SystemCallFilter=", "#"},
	} {
		if faults := judgeUnits(t, map[string]string{"repomill.service": strings.ReplaceAll(string(body), change[0], change[1])}); len(faults) == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// maxExposure is the exposure of a unit at most, on the scale of systemd-analyze security from 0 to 10.
const maxExposure = 2.0

// judgeUnits returns what systemd-analyze says against units, by their file names.
func judgeUnits(t *testing.T, units map[string]string) (faults []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range units {
		text = regexp.MustCompile(`/usr/local/bin/repomill[a-z-]*`).ReplaceAllString(text, "/bin/true")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if timer, ok := strings.CutSuffix(name, ".timer"); ok { // which names its service
			body, err := os.ReadFile("systemd/" + timer + ".service")
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, timer+".service"), regexp.MustCompile(`/usr/local/bin/repomill[a-z-]*`).ReplaceAll(body, []byte("/bin/true")), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		// Faults of other units of this machine are not ours.
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), "repomill") {
			faults = append(faults, fmt.Sprintf("verify: %v\n%s", err, out))
		}
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		out, err = exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", path).CombinedOutput()
		_, level, found := strings.Cut(string(out), "Overall exposure level for "+name+": ")
		level, _, _ = strings.Cut(level, " ")
		exposure, err2 := strconv.ParseFloat(level, 64)
		if err != nil || !found || err2 != nil || exposure > maxExposure {
			faults = append(faults, fmt.Sprintf("exposure %q, want %.1f at most (%v, %v)\n%s", level, maxExposure, err, err2, out))
		}
	}
	return faults
}

func systemdVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
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
