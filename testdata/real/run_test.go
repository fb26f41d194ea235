package real_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// ask runs a program in the C locale, with this machine's environment and more variables, and returns what it says.
func ask(t *testing.T, env []string, name string, args ...string) proctest.Answer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"), env...)
	a, err := proctest.Finish(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// must runs a program that has to succeed, and returns its standard output.
func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	a := ask(t, env, name, args...)
	if a.Code != 0 {
		t.Fatalf("%s %.300q: %v", name, args, a)
	}
	return a.Stdout
}

func write(t *testing.T, path, body string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(body), 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A paragraph is one stanza of an index. Names of fields are lower case; the lines of a value have no blanks around them.
type paragraph map[string]string

// id names a version of a package.
func (p paragraph) id() string { return p["package"] + " " + p["version"] + " " + p["architecture"] }

// paragraphs reads an index of any program.
func paragraphs(text string) (all []paragraph) {
	for stanza := range strings.SplitSeq(text, "\n\n") {
		p, name := paragraph{}, ""
		for line := range strings.SplitSeq(stanza, "\n") {
			switch field, value, ok := strings.Cut(line, ":"); {
			case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
				p[name] = strings.TrimSpace(p[name] + "\n" + strings.TrimSpace(line)) // an empty first line says nothing
			case ok:
				name = strings.ToLower(field)
				p[name] = strings.TrimSpace(value)
			}
		}
		if p["package"] != "" {
			all = append(all, p)
		}
	}
	return all
}
