package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// dist makes a folder as builds leave it: packages at two depths, and what is none.
func dist(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string][]byte{
		"a.deb":         debtest.Build(t, debtest.Spec{Name: "aa"}),
		"deep/b.deb":    debtest.Build(t, debtest.Spec{Name: "bb"}),
		"c.rpm":         rpmtest.Build(t, rpmtest.Spec{Name: "cc"}),
		"README":        []byte("read me"),
		".git/x.deb":    []byte("no package"),
		"deep/.hid.deb": []byte("no package"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// One command pushes a folder to several distributions: to each what it takes.
func TestPushAFolderToSeveralTargets(t *testing.T) {
	t.Parallel()
	s := shared(t)
	dir := dist(t)
	targets := "acme/many/ubuntu/jammy,acme/many/debian/bookworm/extra,acme/many/el/9"
	a := repomill(t, "push", "--wait", "--timeout", "3m", "--staging", s.staging(), targets, dir)
	want := []string{
		dir + "/a.deb to acme/many/debian/bookworm/extra: published: aa 1.0 all", dir + "/a.deb to acme/many/ubuntu/jammy: published: aa 1.0 all",
		dir + "/c.rpm to acme/many/el/9: published: cc 1.0-1 x86_64",
		dir + "/deep/b.deb to acme/many/debian/bookworm/extra: published: bb 1.0 all", dir + "/deep/b.deb to acme/many/ubuntu/jammy: published: bb 1.0 all",
		"5 packages: 5 published",
	}
	got := strings.Split(strings.TrimSpace(a.Stdout), "\n")
	slices.Sort(got[:len(got)-1])
	if a.Code != 0 || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%v", got, want, a)
	}
	if said := "skipped: " + dir + "/README: its name ends in none of .deb, .ddeb and .rpm\n"; a.Stderr != said {
		t.Errorf("the standard error has %q, want %q", a.Stderr, said)
	}
	a = repomill(t, "push", "--wait", "--staging", s.staging(), "acme/many/ubuntu/jammy", dir+"/*.deb", dir+"/a.deb")
	if want := dir + "/a.deb: duplicate: aa 1.0 all\n"; a.Code != 0 || a.Stdout != want {
		t.Errorf("a quoted pattern, and a file of it: got %v, want %q", a, want)
	}
}

// What the server would reject is rejected before it is staged, and keeps nothing else back.
func TestPushVerifies(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/verify/ubuntu/jammy"
	good := newDEB(t, debtest.Spec{Name: "good"})
	whole := debtest.Build(t, debtest.Spec{Size: 5000})
	cut := newFile(t, "cut.deb", whole[:len(whole)-2000])
	a, vs := s.push(t, jammy, cut, good)
	if a.Code != 1 || len(vs) != 2 || vs[0].Reason != catalog.Truncated || vs[1].State != catalog.Published {
		t.Fatalf("%v", a)
	}
	if up := s.status(t, jammy).Uploads; len(up) != 1 {
		t.Errorf("%d uploads were received, want the good one: %+v", len(up), up)
	}
	b := repomill(t, "push", "--no-verify", "--wait", "--staging", s.staging(), jammy, cut.path)
	if up := s.status(t, jammy).Uploads; b.Code != 1 || len(up) != 2 || !strings.Contains(b.Stderr, vs[0].Detail) {
		t.Errorf("the server says %v, the client said %q; uploads: %+v", b, vs[0].Detail, up)
	}
	c := repomill(t, "push", "--staging", s.staging(), jammy, cut.path)
	if c.Code != 1 || c.Stdout != "" || !strings.Contains(c.Stderr, cut.path+": rejected: truncated: ") {
		t.Errorf("without --wait: %v", c)
	}
}

// A payload that rpm cannot unpack has digests that are right. push says so before it uploads, and so does the worker of a
// repository that asks for it.
func TestPayloadsOfRPMAreVerified(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const el = "acme/rpmpayload/el/9"
	good := newRPM(t, rpmtest.Spec{Name: "good", Files: map[string]string{"/usr/share/f": "f"}})
	renamed := func(name string) packageFile { // the header lists another file than the payload has
		b := rpmtest.Build(t, rpmtest.Spec{Name: name, Files: map[string]string{"/usr/share/f": "f"}})
		return newFile(t, name+".rpm", rpmtest.Edit(t, b, func(m map[uint32]rpmtest.Entry) {
			m[1117] = rpmtest.Entry{Type: 8, Count: 1, Data: []byte("g\x00")}
		}, nil))
	}
	bad := renamed("bad")
	a, vs := s.push(t, el, bad, good)
	if a.Code != 1 || len(vs) != 2 || vs[0].Reason != catalog.Malformed || !strings.Contains(vs[0].Detail, `"/usr/share/f", which the header does not list`) || vs[1].State != catalog.Published {
		t.Fatalf("%v", a)
	}
	push := func(f packageFile) (catalog.Verdict, proctest.Answer) {
		t.Helper()
		a := repomill(t, "push", "--no-verify", "--wait", "--json", "--staging", s.staging(), el, f.path)
		vs := verdicts(t, a.Stdout)
		if len(vs) != 1 {
			t.Fatal(a)
		}
		return vs[0], a
	}
	if v, a := push(renamed("unseen")); v.State != catalog.Published || v.Checked != catalog.CheckedStructure {
		t.Errorf("neither unpacks: %v", a)
	}
	if a := repomill(t, "repo", "set", "--data", s.data, "acme/rpmpayload", "--verify-payload", "always"); a.Code != 0 {
		t.Fatal(a)
	}
	time.Sleep(ingest.TermsAge + time.Second/2) // for which workers go by what they saw
	if v, a := push(bad); v.Reason != catalog.Malformed || v.Detail != vs[0].Detail {
		t.Errorf("the worker unpacks: %v, want %q", a, vs[0].Detail)
	}
	if v, a := push(newRPM(t, rpmtest.Spec{Name: "better", Files: map[string]string{"/usr/share/f": "f"}})); v.State != catalog.Published || v.Checked != catalog.CheckedWhole {
		t.Errorf("the worker unpacks: %v", a)
	}
}

// A dry run stages nothing, needs no staging, and says what the server would.
func TestPushDryRun(t *testing.T) {
	t.Parallel()
	nowhere := "file://" + t.TempDir() + "/nothing"
	good := newDEB(t, debtest.Spec{Name: "good"})
	empty := newFile(t, "empty.deb", nil)
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		out    string
		stderr string
	}{
		{"a good package", []string{"acme/tools/ubuntu/jammy", good.path}, 0, good.path + ": acceptable for acme/tools/ubuntu/jammy: good 1.0 all\n", ""},
		{"an empty file", []string{"acme/tools/ubuntu/jammy", empty.path}, 1, "", empty.path + ": would be rejected by acme/tools/ubuntu/jammy: empty: "},
		{"both", []string{"acme/tools/ubuntu/jammy", good.path, empty.path}, 1, "2 packages: 1 acceptable, 1 rejected\n", "empty"},
		{"a distribution with a typing error", []string{"acme/tools/ubuntu/jamny", good.path}, 1, "", "did you mean ubuntu/jammy"},
		{"a component of an RPM distribution", []string{"acme/tools/el/9/main", newRPM(t, rpmtest.Spec{}).path}, 1, "", "components"},
		{"JSON", []string{"--json", "acme/tools/ubuntu/jammy", good.path}, 0, `"target":"acme/tools/ubuntu/jammy","state":"acceptable","package":"good 1.0 all","sha256":"` + good.sha256(), ""},
		{"JSON of a rejection", []string{"--json", "acme/tools/ubuntu/jammy", empty.path}, 1, `"state":"rejected","reason":"empty","detail":"`, "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := repomill(t, append([]string{"push", "--dry-run", "--staging", nowhere}, tt.args...)...)
			if a.Code != tt.code || !strings.Contains(a.Stdout, tt.out) || !strings.Contains(a.Stderr, tt.stderr) || (tt.stderr == "") != (a.Stderr == "") {
				t.Errorf("want %d, %q and %q; got %v", tt.code, tt.out, tt.stderr, a)
			}
		})
	}
}

// onTerminal runs the program with a terminal for its output, and returns what appears there.
func onTerminal(t *testing.T, env []string, args ...string) proctest.Answer {
	t.Helper()
	proctest.Need(t, "script")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		args[i] = "'" + a + "'"
	}
	return proctest.Run(t, append([]string{"SHELL=/bin/sh"}, env...), "script", "-qec", path+" "+strings.Join(args, " "), "/dev/null")
}

// On a terminal a push says from the beginning what it waits for.
func TestPushOnATerminal(t *testing.T) {
	t.Parallel()
	s := shared(t)
	hello := newDEB(t, debtest.Spec{})
	alone := "file://" + t.TempDir() // where no program is running
	const jammy = "acme/terminal/ubuntu/jammy"
	line := regexp.MustCompile(`\r\x1b\[Kupload-[0-9a-f]+\.deb: stored \(\d+s\)`)
	counted := regexp.MustCompile(`\r\x1b\[K0/2: 2 stored \(\d+s\)`)

	t.Run("the line is cleared at the end", func(t *testing.T) {
		a := onTerminal(t, []string{"TERM=xterm", "NO_COLOR=1"}, "push", "--wait", "--timeout", "600ms", "--staging", alone, jammy, hello.path)
		_, last, _ := strings.Cut(a.Stdout, "\r\x1b[K"+hello.path)
		if a.Code != 3 || !line.MatchString(a.Stdout) || strings.Contains(last, "\x1b") || strings.Contains(a.Stdout, "\x1b[3") {
			t.Errorf("%d %q", a.Code, a.Stdout)
		}
	})
	t.Run("several are counted", func(t *testing.T) {
		a := onTerminal(t, []string{"TERM=xterm"}, "push", "--wait", "--timeout", "600ms", "--staging", alone, jammy, hello.path, newDEB(t, debtest.Spec{Name: "other"}).path)
		if a.Code != 3 || !counted.MatchString(a.Stdout) || !strings.HasSuffix(a.Stdout, "2 packages: 2 waiting\r\n") {
			t.Errorf("%d %q", a.Code, a.Stdout)
		}
	})
	t.Run("a terminal without a cursor gets whole lines only", func(t *testing.T) {
		a := onTerminal(t, []string{"TERM=dumb"}, "push", "--wait", "--timeout", "600ms", "--staging", alone, jammy, hello.path)
		if a.Code != 3 || strings.Contains(a.Stdout, "\x1b") || strings.Count(a.Stdout, "\r") != 1 {
			t.Errorf("%d %q", a.Code, a.Stdout)
		}
	})
	t.Run("the end is the line that installs", func(t *testing.T) {
		a := onTerminal(t, []string{"TERM=xterm"}, "push", "--wait", "--staging", s.staging(), jammy, hello.path)
		if a.Code != 0 || !strings.Contains(a.Stdout, "install from acme/terminal on ubuntu/jammy:\r\n  sudo curl ") || !strings.Contains(a.Stdout, s.url+"/acme/terminal/") || !strings.Contains(a.Stdout, "apt-get install -y hello") {
			t.Errorf("%d %q", a.Code, a.Stdout)
		}
	})
}
