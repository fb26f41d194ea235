package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A promoted package is what real apt gets from the new place; the same command again changes nothing.
func TestPromote(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	deb := newDEB(t, debtest.Spec{Arch: "amd64", Version: "1:2.0-1"})
	s.publish(t, "acme/testing1/ubuntu/jammy", deb, newDEB(t, debtest.Spec{Arch: "amd64"}), newDEB(t, debtest.Spec{Name: "other", Arch: "amd64"}))
	s.publish(t, "acme/testing1/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	s.does(t, 0, "", "repo", "create", "acme/stable1", "--distribution", "ubuntu/jammy", "--distribution", "el/9", "--component", "extra")

	all := []string{"promote", "acme/testing1", "acme/stable1", "hel*"}
	a := s.does(t, 5, "", append(all, "--dry-run")...)
	if !strings.HasSuffix(a.Stdout, fmt.Sprintf("3 packages: 3 copy; %d bytes to copy\n", sizeOf(a.Stdout))) || strings.Contains(a.Stdout, "other") {
		t.Errorf("a dry run says %s", a.Stdout)
	}
	want := []string{
		"3 packages: 3 published",
		"published: hello 1.0 amd64 from acme/testing1/ubuntu/jammy/main to acme/stable1/ubuntu/jammy/main",
		"published: hello 1.0-1 noarch from acme/testing1/el/9 to acme/stable1/el/9",
		"published: hello 1:2.0-1 amd64 from acme/testing1/ubuntu/jammy/main to acme/stable1/ubuntu/jammy/main",
	}
	a = s.does(t, 0, "", append(all, "--by", "jo", "--why", "tested", "--job", "https://ci.example/9")...)
	if diff := cmp.Diff(want, sortedLines(a.Stdout)); diff != "" {
		t.Errorf("promote (-want +got):\n%s", diff)
	}
	a = s.does(t, 0, "", append(all, "--json")...)
	for line := range strings.Lines(a.Stdout) {
		var got struct{ Package, State, SHA256 string }
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.State != "there" || len(got.SHA256) != 64 {
			t.Errorf("again: got %s, %v", line, err)
		}
	}
	client := newApt(t, "amd64")
	client.Source(t, "sources", string(s.fetch(t, "acme/stable1/ubuntu/jammy.sources")))
	client.Update(t)
	if got := client.download(t, "hello=1:2.0-1"); !slices.Equal(got, []string{deb.sha256()}) {
		t.Errorf("apt got %q, want %s", got, deb.sha256())
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		s.fetch(t, "acme/stable1/el/9/"+arch+"/hello-1.0-1.noarch.rpm")
	}
	a = s.does(t, 0, "", "log", "acme/stable1")
	if line := "  jo  package.promote  acme/stable1/el/9  hello 1.0-1 noarch from acme/testing1/el/9  (tested)  https://ci.example/9\n"; !strings.Contains(a.Stdout, line) {
		t.Errorf("the log has no %q: %s", line, a.Stdout)
	}
	a = s.does(t, 0, "", "promote", "acme/testing1/ubuntu/jammy", "acme/stable1/ubuntu/jammy/extra", "hello=1:2.0-1:amd64")
	if want := "published: hello 1:2.0-1 amd64 from acme/testing1/ubuntu/jammy/main to acme/stable1/ubuntu/jammy/extra\n"; a.Stdout != want {
		t.Errorf("to another component: got %v", a)
	}
}

// sizeOf returns the number before "bytes".
func sizeOf(text string) (n int) {
	before, _, _ := strings.Cut(text, " bytes")
	fmt.Sscan(before[strings.LastIndexByte(before, ' ')+1:], &n) //nolint:errcheck // 0 then
	return n
}

func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// What is moved is in the new place before it leaves the old one, and what is rejected stays.
func TestPromoteMoves(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const from, to = "acme/testing2/ubuntu/jammy", "acme/stable2/ubuntu/jammy"
	s.publish(t, from, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "taken"}))
	s.publish(t, to, newDEB(t, debtest.Spec{Name: "taken", Fields: []string{"Description: other bytes"}}))
	a := s.does(t, 1, "rejected: taken 1.0 all from "+from+"/main to "+to+"/main: conflict: taken 1.0 all is in ", "promote", "--move", from, to, "*")
	for _, line := range []string{
		"2 packages: 1 published, 1 rejected\n",
		"published: hello 1.0 all from " + from + "/main to " + to + "/main\n",
		"withdrawn: hello 1.0 all from " + from + "/main\n",
	} {
		if !strings.Contains(a.Stdout, line) {
			t.Errorf("got %s, want %s", a.Stdout, line)
		}
	}
	if a := s.does(t, 0, "", "promote", "--move", from, to, "hello=1.0"); a.Stdout != "there: hello 1.0 all from "+from+"/main to "+to+"/main\nwithdrawn: hello 1.0 all from "+from+"/main\n" {
		t.Errorf("the same move again: %v", a)
	}
	s.does(t, 1, "there is no hello in "+from, "promote", from, to, "hello=1.0")
	if got := s.does(t, 0, "", "ls", from).Stdout; strings.Contains(got, "hello") || !strings.Contains(got, "taken") {
		t.Errorf("where they were is %s", got)
	}
	if a := s.does(t, 1, "", "promote", from, to, "taken", "--dry-run"); !strings.HasPrefix(a.Stdout, "conflict: taken 1.0 all ") {
		t.Errorf("a dry run of what is in the way: %v", a)
	}
	if a := s.does(t, 0, "", "log", "acme/testing2"); !strings.Contains(a.Stdout, "package.yank  "+from+"/main  hello 1.0 all  (moved to "+to+"/main)") {
		t.Errorf("the log has no withdrawal: %s", a.Stdout)
	}
}

func TestPromoteRefuses(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/testing3/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/testing3/ubuntu/jammy/extra", newDEB(t, debtest.Spec{Name: "more"}))
	s.publish(t, "acme/testing3/el/9", newRPM(t, rpmtest.Spec{}))
	s.does(t, 0, "", "repo", "create", "acme/public3", "--distribution", "ubuntu/jammy")
	s.does(t, 0, "", "repo", "create", "acme/private3", "--distribution", "ubuntu/jammy", "--visibility", "private")
	s.does(t, 0, "", "promote", "acme/testing3/ubuntu/jammy", "acme/private3", "hello")
	for _, tt := range []struct {
		fact string
		code int
		args []string
		says string
	}{
		{"from private to public", 2, []string{"acme/private3", "acme/public3", "hello"}, "acme/private3 is private and acme/public3 is public: everybody could read the packages there; add --to-public if that is meant"},
		{"another name", 1, []string{"acme/testing3/ubuntu/jammy", "acme/public3", "helo"}, "there is no helo in acme/testing3/ubuntu/jammy; did you mean hello?"},
		{"another version", 1, []string{"acme/testing3/ubuntu/jammy", "acme/public3", "hello=2.0"}, "there is no hello 2.0 in acme/testing3/ubuntu/jammy; it has version 1.0"},
		{"another epoch", 1, []string{"acme/testing3/ubuntu/jammy", "acme/public3", "hello=1:1.0"}, "there is no hello 1:1.0 in acme/testing3/ubuntu/jammy; it has version 1.0"},
		{"a pattern of nothing", 1, []string{"acme/testing3", "acme/public3", "x*"}, "there is no x* in acme/testing3; repomill ls lists what is"},
		{"another architecture", 1, []string{"acme/testing3/ubuntu/jammy", "acme/public3", "hello=1.0:amd64"}, "there is no hello=1.0:amd64 in acme/testing3/ubuntu/jammy; repomill ls lists what is"},
		{"an unknown source", 1, []string{"acme/testing0", "acme/public3", "hello"}, "repository acme/testing0 is not declared"},
		{"an unknown target", 1, []string{"acme/testing3", "acme/public0", "hello"}, "repository acme/public0 is not declared"},
		{"a distribution that is not there", 1, []string{"acme/testing3/el/9", "acme/public3", "hello"}, "acme/public3 does not have distribution el/9: add it with repomill repo set acme/public3 --distribution el/9"},
		{"a component that is not there", 1, []string{"acme/testing3", "acme/public3", "more"}, "acme/public3 does not have component extra in ubuntu/jammy; it has main"},
		{"the other format", 1, []string{"acme/testing3/el/9", "acme/public3/ubuntu/jammy", "hello"}, "hello 1.0-1 x86_64 has the format rpm, but ubuntu/jammy of acme/public3 takes deb"},
		{"to where they are", 2, []string{"acme/testing3", "acme/testing3", "hello"}, "acme/testing3 is where the packages are: name another target"},
		{"all distributions to one", 2, []string{"acme/testing3", "acme/public3/ubuntu/jammy", "hello"}, "acme/testing3 is a whole repository: name the distribution whose packages go to acme/public3/ubuntu/jammy"},
		{"a broken pattern", 2, []string{"acme/testing3", "acme/public3", "hel[lo"}, `package "hel[lo": use NAME`},
		{"three parts", 2, []string{"acme/testing3/ubuntu", "acme/public3", "hello"}, `target "acme/testing3/ubuntu": use owner/name/os/version[/component], or owner/name`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s.does(t, tt.code, tt.says, append([]string{"promote"}, tt.args...)...)
		})
	}
	a := s.does(t, 0, "", "promote", "acme/private3", "acme/public3", "hello", "--to-public")
	if !strings.HasPrefix(a.Stdout, "published: hello 1.0 all") {
		t.Errorf("with --to-public: %v", a)
	}
}

// What is asked for while no worker runs is recorded; the same command finds it, and a worker that is started does it.
func TestPromoteWithoutAWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(t, "acme/testing/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.does(t, 0, "", "repo", "create", "acme/stable", "--distribution", "ubuntu/jammy")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	line := []string{"promote", "acme/testing", "acme/stable", "hello"}
	if a := s.does(t, 0, "recorded: ", append(line, "--no-wait")...); !strings.HasPrefix(a.Stdout, "received: hello 1.0 all") {
		t.Errorf("without waiting: %v", a)
	}
	s.does(t, 3, "recorded", append(line, "--timeout", "1s")...)
	s = restart(t, s.data)
	a := s.does(t, 0, "", line...)
	if !strings.HasPrefix(a.Stdout, "published: ") && !strings.HasPrefix(a.Stdout, "there: ") {
		t.Errorf("with a worker: %v", a)
	}
	if n := strings.Count(s.does(t, 0, "", "log", "acme/stable").Stdout, "package.promote"); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
}

// A move that is asked for while no worker runs, or whose command has ended, is carried out by the worker that comes; status says
// what is left. Killed at any moment, up goes on with it.
func TestPromoteMovesByWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const from, to = "acme/testing/ubuntu/jammy", "acme/stable/ubuntu/jammy"
	s.publish(t, from, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "taken"}))
	s.publish(t, to, newDEB(t, debtest.Spec{Name: "taken", Fields: []string{"Description: other bytes"}}))
	if a := s.does(t, 5, "", "promote", from, to, "hello", "--move", "--dry-run", "--json"); !strings.Contains(a.Stdout, `"move":"waiting"`) {
		t.Errorf("a dry run: %v", a)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.does(t, 0, "recorded: ", "promote", from, to, "*", "--move", "--no-wait")
	if a := s.does(t, 0, "", "status", "acme/stable"); strings.Count(a.Stdout, "it moves: it is withdrawn where it was once clients see it here") != 2 {
		t.Errorf("status does not say what is left: %v", a)
	}
	for range 3 {
		s = restart(t, s.data)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	s = restart(t, s.data)
	proctest.Eventually(t, "the package is moved", func() bool {
		return !strings.Contains(s.does(t, 0, "", "ls", from).Stdout, "hello") && strings.Contains(s.does(t, 0, "", "status", "acme/stable").Stdout, "it was to move, and stays where it was: there is no copy of it: that was rejected")
	})
	if got := s.does(t, 0, "", "ls", to).Stdout; !strings.Contains(got, "hello") {
		t.Errorf("the new place has %s", got)
	}
	if got := s.does(t, 0, "", "ls", from).Stdout; !strings.Contains(got, "taken") {
		t.Errorf("what was rejected is gone: %s", got)
	}
	a := s.does(t, 0, "", "promote", from, to, "hello", "--move", "--json")
	var got struct{ State, Move string }
	if err := json.Unmarshal([]byte(a.Stdout), &got); err != nil || got.State != "there" || got.Move != "done" {
		t.Errorf("the same command again: %v, %v", a, err)
	}
}

// The calls that package_cloud promote makes, on a running up: the answer comes when clients see the copy.
func TestPromoteByTheAPI(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	s := newSite(t)
	deb := newDEB(t, debtest.Spec{Arch: "amd64"})
	s.publish(t, "acme/testing/ubuntu/jammy", deb)
	s.does(t, 0, "", "repo", "create", "acme/stable", "--distribution", "ubuntu/jammy")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	a := proctest.Run(t, nil, path, "token", "create", "acme", "releases", "--scope", "push,manage", "--catalog", "sqlite://"+s.data+"/catalog.db")
	if a.Code != 0 {
		t.Fatal(a)
	}
	token, repos := strings.TrimSpace(a.Stdout)+":", s.url+"/api/v1/repos/acme/"
	for _, name := range []string{"testing", "stable"} {
		if status, body := curl(t, "-u", token, repos+name+".json"); status != "200" {
			t.Fatalf("%s: got %s %s", name, status, body)
		}
	}
	call := []string{"-u", token, "-d", "destination=acme/stable", repos + "testing/ubuntu/jammy/hello_1.0_amd64.deb/promote.json"}
	status, body := curl(t, call...)
	var got struct {
		Indexed    bool
		SHA256     string `json:"sha256sum"`
		PublishURL string `json:"publish_url"`
		Repository string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != "200" || !got.Indexed || got.Repository != "stable" || got.SHA256 != deb.sha256() {
		t.Fatalf("got %s %s", status, body)
	}
	if file := s.fetch(t, "acme/stable/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"); digest(file) != deb.sha256() {
		t.Errorf("clients get %d other bytes", len(file))
	}
	if status, body := curl(t, "-u", token, got.PublishURL+"?wait=5s"); status != "200" || !strings.Contains(body, `"state":"published"`) {
		t.Errorf("publish_url: got %s %s", status, body)
	}
	if status, body := curl(t, call...); status != "422" || strings.TrimSpace(body) != `{"filename":["has already been taken"]}` {
		t.Errorf("again: got %s %s", status, body)
	}
	if a := s.does(t, 0, "", "log", "acme/stable"); !strings.Contains(a.Stdout, "  token releases of acme  package.promote  acme/stable/ubuntu/jammy/main  hello 1.0 amd64 from acme/testing/ubuntu/jammy/main") {
		t.Errorf("the log says %s", a.Stdout)
	}
	status, body = curl(t, append([]string{"-d", "move=true"}, call...)...)
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != "200" {
		t.Fatalf("a move: got %s %s", status, body)
	}
	if status, body := curl(t, "-u", token, got.PublishURL+"?wait=20s"); status != "200" || !strings.Contains(body, `"move":"done"`) {
		t.Errorf("publish_url of a move: got %s %s", status, body)
	}
	if a := s.does(t, 0, "", "log", "acme/testing"); !strings.Contains(a.Stdout, "  token releases of acme  package.yank  acme/testing/ubuntu/jammy/main  hello 1.0 amd64  (moved to acme/stable/ubuntu/jammy/main)") {
		t.Errorf("the log of a move says %s", a.Stdout)
	}
}
