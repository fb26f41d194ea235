package main_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

var (
	aptLine = regexp.MustCompile(`(?m)^ *(curl .*apt-get .*)$`)
	dnfLine = regexp.MustCompile(`(?m)^ *(curl .*dnf .*)$`)
)

// hint waits for a line on the standard output.
func (s *site) hint(t *testing.T, line *regexp.Regexp) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := line.FindStringSubmatch(s.out.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("no line %v in\n%s", line, s.out)
	return ""
}

// What the program prints can be pasted, after the first publish and after a restart.
func TestHints(t *testing.T) {
	t.Parallel()
	data := openDir(t)
	s := restart(t, data)
	if out := s.out.String(); strings.Contains(out, "curl") || !strings.Contains(out, "repomill push --wait --staging file://"+data+"/staging") {
		t.Errorf("before the first publish:\n%s", out)
	}
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{}))
	apt, dnf := s.hint(t, aptLine), s.hint(t, dnfLine)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "2"}))
	if out := s.out.String(); strings.Count(out, apt) != 1 || strings.Count(out, dnf) != 1 {
		t.Errorf("want each line once:\n%s", out)
	}
	for _, line := range []string{apt, dnf} {
		if strings.Contains(line, data) || !strings.Contains(line, "curl -fsSL "+s.url+"/") || !strings.Contains(line, "install -y hello") {
			t.Errorf("cannot be pasted: %s", line)
		}
	}
	t.Run("apt", func(t *testing.T) { pasteApt(t, apt) })
	t.Run("dnf", func(t *testing.T) { pasteDnf(t, dnf) })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, data)
	for _, line := range []*regexp.Regexp{aptLine, dnfLine} {
		if got := s.hint(t, line); !strings.Contains(got, s.url) {
			t.Errorf("after a restart: %s", got)
		}
	}
}

// Each distribution's line is for the client that its systems have.
func TestHintsNameTheClient(t *testing.T) {
	t.Parallel()
	s := restart(t, openDir(t))
	for _, tt := range []struct {
		target string
		file   packageFile
		want   string
	}{
		{"acme/tools/opensuse/15.6", newRPM(t, rpmtest.Spec{}), `curl -fsSL \S+/opensuse/15.6.repo \| sudo tee /etc/zypp/repos.d/acme_tools.repo .* sudo zypper .* install hello`},
		{"acme/tools/el/7", newRPM(t, rpmtest.Spec{}), `curl -fsSL \S+/el/7.repo \| sudo tee /etc/yum.repos.d/acme_tools.repo .* sudo yum install -y hello`},
		{"acme/tools/ubuntu/focal/extra", newDEB(t, debtest.Spec{}), `curl -fsSL \S+/acme/tools/gpgkey \| .* 'deb \[signed-by=/usr/share/keyrings/acme_tools.asc\] \S+/acme/tools/ubuntu focal extra' .* sudo apt-get install -y hello`},
	} {
		s.publish(t, tt.target, tt.file)
		line := s.hint(t, regexp.MustCompile(`(?m)^ *(`+tt.want+`)$`))
		if strings.Contains(line, "apt-get") {
			pasteApt(t, line)
		}
	}
}

// paste runs a printed line in a shell, without sudo and in a root of its own.
func paste(t *testing.T, env []string, line string, places ...string) {
	t.Helper()
	need(t, "sh", "curl", "tee")
	line = strings.NewReplacer(append(places, "sudo ", "")...).Replace(line)
	if a := run(t, env, "sh", "-c", "set -e; "+line); a.code != 0 {
		t.Errorf("%s\n%v", line, a)
	}
}

func pasteApt(t *testing.T, line string) {
	a := newApt(t, "amd64") // downloads only
	paste(t, a.env(), line, "/etc/apt/sources.list.d/", a.dir+"/etc/sources.list.d/", "/usr/share/keyrings/", a.dir+"/etc/")
	if got := digests(t, a.dir+"/cache/archives/hello_*.deb"); len(got) != 1 {
		t.Errorf("%d packages downloaded, want 1", len(got))
	}
}

func pasteDnf(t *testing.T, line string) {
	d := newDnf(t, "")
	paste(t, nil, line, "/etc/yum.repos.d/", d.dir+"/repos/", "dnf install ", "dnf "+strings.Join(d.options(), " ")+" install --downloadonly --destdir="+d.dir+"/got ")
	if got := digests(t, d.dir+"/got/hello-*.rpm"); len(got) != 1 {
		t.Errorf("%d packages downloaded, want 1", len(got))
	}
}
