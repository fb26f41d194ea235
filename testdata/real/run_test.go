package real_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An answer is what a program said.
type answer struct {
	code           int
	stdout, stderr string
}

// ask runs a program in the C locale, with more variables, and returns what it says.
func ask(t *testing.T, env []string, name string, args ...string) answer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a program that has to succeed, and returns its standard output.
func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	a := ask(t, env, name, args...)
	if a.code != 0 {
		t.Fatalf("%s %.300q: exit %d\n%s\n%s", name, args, a.code, end(a.stdout), end(a.stderr))
	}
	return a.stdout
}

// end returns the last 4,000 bytes of what was printed.
func end(s string) string { return s[max(0, len(s)-4000):] }

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
