package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// hint waits for the lines of a distribution on the standard output.
func (s *site) hint(t *testing.T, repository, distribution string) string {
	t.Helper()
	block := regexp.MustCompile(`(?m)^install from ` + repository + ` on ` + distribution + `.*:\n((?:  .*\n)+)`)
	var m []string
	if err := s.Await(s.Stdout, func(text string) bool { m = block.FindStringSubmatch(text); return m != nil }); err != nil {
		t.Fatalf("no lines for %s on %s: %v", repository, distribution, err)
	}
	return m[1]
}

// What the program prints can be pasted. It is printed at the first publish of a distribution, and not at each start;
// repomill hint prints it at any time.
func TestHints(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	s := restart(t, data)
	if out := s.Stdout.String(); strings.Contains(out, "curl") || !strings.Contains(out, "repomill push --wait --staging file://"+data+"/staging") || !strings.Contains(out, " hint --data "+data+" ") {
		t.Errorf("before the first publish:\n%s", out)
	}
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{}))
	apt, dnf := s.hint(t, "acme/tools", "ubuntu/jammy"), s.hint(t, "acme/tools", "el/9")
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "2"}))
	if out := s.Stdout.String(); strings.Count(out, apt) != 1 || strings.Count(out, dnf) != 1 {
		t.Errorf("want all lines once:\n%s", out)
	}
	for target, lines := range map[string]string{"acme/tools/ubuntu/jammy": apt, "acme/tools/el/9": dnf} {
		if strings.Contains(lines, data) || !strings.Contains(lines, s.url+"/") || !strings.Contains(lines, "install -y hello\n") {
			t.Errorf("cannot be pasted: %s", lines)
		}
		if a := repomill(t, "hint", "--data", data, target); a.Code != 0 || !strings.HasSuffix(a.Stdout, ":\n"+lines) {
			t.Errorf("hint %s: %v\nwant %s", target, a, lines)
		}
	}
	t.Run("apt", func(t *testing.T) { pasteApt(t, apt) })
	t.Run("dnf", func(t *testing.T) { pasteDnf(t, dnf) })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, data)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Arch: "amd64", Version: "3"}))
	s.publish(t, "acme/tools/ubuntu/noble", newDEB(t, debtest.Spec{Arch: "amd64", Version: "3"}))
	s.hint(t, "acme/tools", "ubuntu/noble")
	if out := s.Stdout.String(); strings.Contains(out, "on ubuntu/jammy") || strings.Contains(out, "on el/9") {
		t.Errorf("after a restart, what was published before is printed again:\n%s", out)
	}
}

// A file that cannot be fetched is not written, and nothing is installed after that.
func TestHintsStopAtAFailure(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "sh", "curl")
	s := shared(t)
	for _, target := range []string{"acme/failing/ubuntu/jammy", "acme/failing/ubuntu/focal"} {
		s.publish(t, target, newDEB(t, debtest.Spec{}))
	}
	s.publish(t, "acme/failing/el/9", newRPM(t, rpmtest.Spec{}))
	for _, distribution := range []string{"ubuntu/jammy", "ubuntu/focal", "el/9"} {
		dir := proctest.OpenDir(t)
		lines := strings.ReplaceAll(s.hint(t, "acme/failing", distribution), "acme/failing", "acme/nothing")
		lines = strings.NewReplacer("sudo ", "", " /etc/apt/sources.list.d/", " "+dir+"/", " /usr/share/keyrings/", " "+dir+"/", " /etc/yum.repos.d/", " "+dir+"/",
			"apt-get", "ran", "dnf", "ran").Replace(lines)
		a := proctest.Run(t, nil, "sh", "-c", "ran() { touch "+dir+"/ran; }\n"+lines)
		if left := entries(t, dir); a.Code == 0 || len(left) > 0 {
			t.Errorf("%s: %v, left behind is %q", distribution, a, left)
		}
	}
}

// Each distribution's lines are for the client that its systems have.
func TestHintsNameTheClient(t *testing.T) {
	t.Parallel()
	s := restart(t, proctest.OpenDir(t))
	for _, tt := range []struct {
		target, distribution string
		file                 packageFile
		want                 []string
	}{
		{"acme/tools/opensuse/15.6", "opensuse/15.6", newRPM(t, rpmtest.Spec{}), []string{
			"sudo curl -fsSLo /etc/zypp/repos.d/acme_tools.repo " + s.url + "/acme/tools/opensuse/15.6.repo &&",
			"sudo zypper --non-interactive --gpg-auto-import-keys install hello",
		}},
		{"acme/tools/el/7", "el/7", newRPM(t, rpmtest.Spec{}), []string{
			"sudo curl -fsSLo /etc/yum.repos.d/acme_tools.repo " + s.url + "/acme/tools/el/7.repo &&", "sudo yum install -y hello",
		}},
		{"acme/tools/ubuntu/focal/extra", "ubuntu/focal", newDEB(t, debtest.Spec{}), []string{
			"sudo curl -fsSLo /usr/share/keyrings/acme_tools.asc " + s.url + "/acme/tools/gpgkey &&",
			`echo "deb [arch=$(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64') | tr ' ' ,) signed-by=/usr/share/keyrings/acme_tools.asc] ` + s.url +
				`/acme/tools/ubuntu focal extra main" | sudo tee /etc/apt/sources.list.d/acme_tools.list >/dev/null &&`,
			"sudo apt-get update &&", "sudo apt-get install -y hello",
		}},
	} {
		s.publish(t, tt.target, tt.file)
		lines := s.hint(t, "acme/tools", tt.distribution)
		if diff := cmp.Diff("  "+strings.Join(tt.want, "\n  ")+"\n", lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.target, diff)
		}
		if tt.distribution == "ubuntu/focal" {
			pasteApt(t, lines)
		}
	}
}

// paste runs printed lines in a shell, without sudo and in a root of its own.
func paste(t *testing.T, env []string, lines string, places ...string) {
	t.Helper()
	proctest.Need(t, "sh", "curl", "sed", "tee")
	lines = strings.NewReplacer(append(places, "sudo ", "")...).Replace(lines)
	if a := proctest.Run(t, env, "sh", "-c", lines); a.Code != 0 {
		t.Errorf("%s\n%v", lines, a)
	}
}

func pasteApt(t *testing.T, lines string) {
	a := newApt(t, "amd64") // downloads only
	paste(t, a.Env(), lines, "/etc/apt/sources.list.d/", a.Dir+"/etc/sources.list.d/", "/usr/share/keyrings/", a.Dir+"/etc/")
	if got := digests(t, a.Dir+"/cache/archives/hello_*.deb"); len(got) != 1 {
		t.Errorf("%d packages downloaded, want 1", len(got))
	}
}

func pasteDnf(t *testing.T, lines string) {
	d := newDnf(t, "")
	paste(t, nil, lines, "/etc/yum.repos.d/", d.dir+"/repos/", "dnf install ", "dnf "+strings.Join(d.options(), " ")+" install --downloadonly --destdir="+d.dir+"/got ")
	if got := digests(t, d.dir+"/got/hello-*.rpm"); len(got) != 1 {
		t.Errorf("%d packages downloaded, want 1", len(got))
	}
}

// entries returns the names in a folder.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// A new token comes with the lines that use it, on the standard error; hint has the same ones.
func TestTokenCreatePrintsLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if a := repomill(t, "repo", "create", "--data", s.data, "acme/secret", "--visibility", "private", "--distribution", "ubuntu/jammy", "--distribution", "el/9"); a.Code != 0 {
		t.Fatal(a)
	}
	s.publish(t, "acme/secret/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	created := repomill(t, "token", "create", "--data", s.data, "acme/secret", "ci")
	token := strings.TrimSpace(created.Stdout)
	file := newFile(t, "token", []byte(created.Stdout)).path
	hint := repomill(t, "hint", "--data", s.data, "acme/secret", "--token-file", file)
	if created.Code != 0 || hint.Code != 0 || !strings.HasSuffix(created.Stderr, "\n"+hint.Stdout) || strings.Count(hint.Stdout, "token="+token+" &&\n") != 2 {
		t.Errorf("token create: %v\nhint: %v", created, hint)
	}
	for _, line := range []string{"  sudo apt-get install -y hello\n", "  sudo dnf makecache\n"} { // nothing was pushed to el/9
		if !strings.Contains(hint.Stdout, line) {
			t.Errorf("want %q in %v", line, hint)
		}
	}
	if a := repomill(t, "hint", "--data", s.data, "acme/secret/ubuntu/jammy"); a.Code != 0 || !strings.Contains(a.Stdout, "\n  token=TOKEN &&\n") || strings.Contains(a.Stdout, token) {
		t.Errorf("without a token: %v", a)
	}
	if a := repomill(t, "hint", "--data", s.data, "--public-url", "https://p.example.org/", "acme/secret/ubuntu/jammy"); !strings.Contains(a.Stdout, " https://p.example.org/acme/secret/ubuntu/jammy.sources &&\n") {
		t.Errorf("with a URL: %v", a)
	}
	for target, want := range map[string]string{
		"acme/secret/ubuntu/jammi":          "did you mean acme/secret/ubuntu/jammy?",
		"acme/secret/ubuntu/jammy/contrib":  `no component "contrib"; it has main`,
		"acme/secre/ubuntu/jammy":           "did you mean acme/secret?",
		"acme/secret/ubuntu":                "use owner/name/os/version",
		"acme/secret/ubuntu/jammy/main/all": "use owner/name/os/version",
	} {
		if a := repomill(t, "hint", "--data", s.data, target); a.Code == 0 || !strings.Contains(a.Stderr, want) || a.Stdout != "" {
			t.Errorf("hint %s: %v, want %q", target, a, want)
		}
	}
}
