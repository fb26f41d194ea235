package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// states returns what status says of packages, as "release package state seen [detail]".
func (s *site) states(t *testing.T, code int, args ...string) (all []string) {
	t.Helper()
	a := s.does(t, code, "", append([]string{"status", "--json"}, args...)...)
	var rows []struct {
		Release, Package, State, Detail string
		Revision                        int64
		Since                           string
		Seen                            *struct{ State, Detail string }
	}
	if err := json.Unmarshal([]byte(a.Stdout), &rows); err != nil {
		t.Fatalf("%q: %v in %v", args, err, a)
	}
	for _, r := range rows {
		line := strings.Join(strings.Fields(strings.Join([]string{r.Release, r.Package, r.State}, " ")), " ")
		if r.Seen != nil {
			line += " " + r.Seen.State
			r.Detail = strings.Trim(r.Detail+"; "+r.Seen.Detail, "; ")
		}
		if (r.State == "out") != (r.Since != "" && r.Revision > 0 && r.Detail == "") && r.State != "yanked" {
			line += " revision or time is wrong"
		}
		all = append(all, strings.TrimSuffix(line+": "+r.Detail, ": "))
	}
	return all
}

// Status says where a package is out, and why not where it is not; what it says a client sees with --verify, too.
func TestStatusSaysWhereAPackageIsOut(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, noble, el9 = "acme/isitout", "acme/isitout/ubuntu/jammy", "acme/isitout/ubuntu/noble", "acme/isitout/el/9"
	for _, target := range []string{jammy, noble} {
		s.publish(t, target, newDEB(t, debtest.Spec{Arch: "amd64"}))
	}
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	check := func(when string, code int, pattern string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, s.states(t, code, repository, pattern, "--verify")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("everywhere", 0, "hello=1.0*",
		el9+"/aarch64 hello 1.0-1 noarch out there", el9+"/x86_64 hello 1.0-1 noarch out there", jammy+" hello 1.0 amd64 out there", noble+" hello 1.0 amd64 out there")
	check("not everywhere", 1, "hello=1.0",
		el9+" absent: it has 1.0-1", jammy+" hello 1.0 amd64 out there", noble+" hello 1.0 amd64 out there")

	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"}))
	if v := s.await(t, s.drop(t, noble+"/hello_2.0_amd64.deb", []byte("x"))); v.Reason != "not-a-package" {
		t.Errorf("%+v", v)
	}
	const rejected = ` hello 2.0 amd64 rejected: not-a-package: the file starts with "x" and is not a Debian package; upload a file made by dpkg-deb`
	check("rejected", 1, "hello=2.*", el9+" absent: it has 1.0-1", jammy+" hello 2.0 amd64 out there", noble+rejected)
	s.does(t, 0, "", "yank", jammy, "hello=2.0", "--reason", "breaks the login", "--by", "kim")
	day := strings.Fields(s.does(t, 0, "", "log", repository, "--since", "1h").Stdout)[0]
	check("withdrawn", 1, "hello=2.0", el9+" absent: it has 1.0-1", jammy+" hello 2.0 amd64 yanked unlisted: "+day+" by kim: breaks the login", noble+rejected)
	a := s.does(t, 1, "hello=2.0 is not published below "+repository, "status", repository, "hello=2.0")
	if want := "rejected: hello 2.0 amd64: not-a-package: the file starts with \"x\" and is not a\n    Debian package; upload a file made by dpkg-deb\n  ubuntu/noble\nyanked: hello 2.0 amd64: " + day + " by kim: breaks the login\n  ubuntu/jammy@"; !strings.HasPrefix(a.Stdout, want) {
		t.Errorf("the report says %s", a.Stdout)
	}
	a = s.does(t, 0, "", "status", repository+"/ubuntu", "hello=1.0", "--verify")
	if !strings.HasPrefix(a.Stdout, "out: hello 1.0 amd64, since 20") || !strings.Contains(a.Stdout, "\nout in 2 places, everywhere where the name is, as clients see it at\n    "+s.url+"\n") {
		t.Errorf("the report says %s", a.Stdout)
	}

	s.does(t, 4, "--verify: the public keys at http://127.0.0.1:1/"+repository+"/gpgkey: ", "status", repository, "hello=1.0*", "--verify", "--public-url", "http://127.0.0.1:1")
	s.does(t, 2, "--verify: name a package", "status", repository, "--verify")
	s.does(t, 2, `package "hello=": use NAME, NAME=VERSION`, "status", repository, "hello=")
}

// A client opens a private repository with a token.
func TestStatusVerifiesPrivateRepositories(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy = "acme/isitoutprivate", "acme/isitoutprivate/ubuntu/jammy"
	s.does(t, 0, "", "repo", "create", repository, "--visibility", "private", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.does(t, 2, "--verify: "+repository+" is private: name a file with a token", "status", repository, "hello", "--verify")
	token := strings.TrimSpace(strings.Split(s.does(t, 0, "", "token", "create", repository, "reader").Stdout, "\n")[0])
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{jammy + " hello 1.0 all out there"}, s.states(t, 0, repository, "hello", "--verify", "--token-file", file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.does(t, 4, "401", "status", repository, "hello", "--verify", "--token-file", file)
}

// What the catalog says is out and clients cannot install is not out.
func TestStatusSeesWhatClientsMiss(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/tools/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.does(t, 0, "", "snapshot", "create", "acme/tools", "--name", "first")
	pointer := filepath.Join(s.data, "bucket/acme/tools/ubuntu/dists/jammy/InRelease")
	old, err := os.ReadFile(pointer)
	if err != nil {
		t.Fatal(err)
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	file := s.data + "/bucket/acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_all.deb"
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	const missing = jammy + " hello 1.0 all out broken"
	if got := s.states(t, 1, "acme/tools", "hello=1.0", "--verify"); len(got) != 1 || !strings.HasPrefix(got[0], missing) || !strings.Contains(got[0], "clients cannot get it: ubuntu/pool/jammy/main/h/hello/hello_1.0_all.deb is missing") {
		t.Errorf("without its file: %q", got)
	}
	if got := s.states(t, 0, "acme/tools", "hello=1.0"); len(got) != 1 {
		t.Errorf("by the catalog: %q", got)
	}
	for version, want := range map[string]bool{"1.0": true, "2.0": false} {
		if a := s.does(t, 0, "", "status", "acme/tools", "hello="+version); strings.Contains(a.Stdout, " UTC, in snapshot 20") != want {
			t.Errorf("%s is in the snapshot: %v, not as in %s", version, want, a.Stdout)
		}
	}
	if err := s.Stop(); err != nil { // or it would publish again
		t.Fatal(err)
	}
	now, err := os.ReadFile(pointer)
	if err != nil {
		t.Fatal(err)
	}
	away := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away && strings.HasSuffix(r.URL.Path, "/InRelease") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		http.FileServer(http.Dir(s.data+"/bucket")).ServeHTTP(w, r)
	}))
	defer server.Close()
	serve := func(when, want string, body []byte) {
		t.Helper()
		err := os.Remove(pointer)
		if body != nil {
			err = os.WriteFile(pointer, body, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := s.states(t, 1, "acme/tools", "hello=2.0", "--verify", "--public-url", server.URL); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	serve("a cache with an old pointer", " out unlisted revision or time is wrong: clients do not see it: they get revision ", old)
	serve("a damaged pointer", " out broken revision or time is wrong: ubuntu/dists/jammy/InRelease: ", append([]byte("x"), now...))
	serve("an absent pointer", "clients do not see it: the server has no release there", nil)
	away = true
	a := s.does(t, 4, "1 of 1 release could not be read: "+server.URL+"/acme/tools/ubuntu/dists/jammy/InRelease: ", "status", "acme/tools", "hello=2.0", "--verify", "--public-url", server.URL)
	if !strings.Contains(a.Stdout, "it could not be looked at:\n    ubuntu/dists/jammy/InRelease: 502 Bad Gateway\n  ubuntu/jammy@") {
		t.Errorf("a server that is away: %v", a)
	}
}

// Status of a repository has a line for each thing that is with it, and none for what is not.
func TestStatusOfALife(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, target = "acme/lives", "acme/lives/ubuntu/jammy"
	s.publish(t, target, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}))
	if a := s.does(t, 0, "", "status", repository); strings.Contains(a.Stdout, "snapshots:") || strings.Contains(a.Stdout, "retention") || strings.Contains(a.Stdout, "phases:") || strings.Contains(a.Stdout, "held") {
		t.Errorf("it says %s", a.Stdout)
	}
	id := s.snapshot(t, repository).ID
	s.does(t, 0, "", "snapshot", "schedule", repository, "daily", "--keep", "7")
	s.does(t, 0, "", "phase", target, "hello=2.0", "--steps", "10%,50%,100%", "--every", "24h")
	s.does(t, 0, "", "retain", "set", repository, "--newest", "3")
	s.hold(t, "9.0", target, newDEB(t, debtest.Spec{Version: "9.0"}))
	a := s.does(t, 0, "", "status", target)
	says(t, a, "snapshot", "the newest ", "rule: daily, the newest 7 kept\n", "release trains: 1 package held\n", "retention of "+repository+": newest 3; paused\n",
		"phases: 1 source package not at 100 %, next step at ")
	var report struct {
		Repository struct {
			Snapshots struct {
				Count  int
				Newest string
			}
			Held      int
			Retention []struct{ Rules []string }
			Phases    struct{ Sources int }
		}
	}
	a = s.does(t, 0, "", "status", repository, "--json")
	r := &report.Repository
	if err := json.Unmarshal([]byte(a.Stdout), &report); err != nil || r.Snapshots.Count == 0 || r.Snapshots.Newest < id || r.Held != 1 || len(r.Retention) != 1 || r.Phases.Sources != 1 {
		t.Errorf("%v: %+v of %s", err, report, a.Stdout)
	}
	says(t, s.does(t, 0, "", "status", repository, "hello=2.0"), "10 % of the hosts upgrade to it")
	says(t, s.does(t, 1, "", "status", repository, "hello=9.0"), "held: hello 9.0 all: it waits for a release train")
	s.publish(t, "acme/dies/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.does(t, 0, "", "repo", "delete", "acme/dies", "--yes")
	says(t, s.does(t, 0, "", "status", "acme/dies"), "deleted: it was deleted on ", "repomill repo undelete brings it back\n")
}
