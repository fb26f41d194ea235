package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
)

// A historyCaller asks for diffs and rollbacks of a repository.
type historyCaller struct {
	s     *site
	path  string // of the repository
	token string
}

// says checks the answer to a call of a repository, and returns it.
func (c historyCaller) says(t *testing.T, status int, has, method, call string, form url.Values) (answer string) {
	t.Helper()
	body := form.Encode()
	if method == http.MethodGet && body != "" {
		call, body = call+"?"+body, ""
	}
	got, answer := c.s.ask(t, method, c.token, c.path+call, body)
	if got != status || !strings.Contains(answer, has) {
		t.Errorf("%s %s %s: %d %s, want %d and %q", method, call, body, got, answer, status, has)
	}
	return answer
}

// differences returns "change name version > version" of what clients see now and did not at a revision, and the sums.
func (c historyCaller) differences(t *testing.T, from string) (all []string) {
	t.Helper()
	type version struct{ Version string }
	type group struct {
		Packages int
		Bytes    int64
		First    []struct {
			Distribution, Name string
			From, To           *version
		}
	}
	var d struct {
		Same                              int
		Added, Removed, Changed, Replaced group
	}
	if err := json.Unmarshal([]byte(c.says(t, 200, "", http.MethodGet, "/diff", url.Values{"from": {from}, "distribution": {"ubuntu/jammy"}})), &d); err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]group{"added": d.Added, "removed": d.Removed, "changed": d.Changed, "replaced": d.Replaced} {
		if len(g.First) != g.Packages || (name == "added") != (g.Bytes > 0) && g.Packages > 0 && name != "changed" {
			t.Errorf("%s: %+v", name, g)
		}
	}
	add := func(change string, g group) {
		for _, k := range g.First {
			versions := ""
			for _, v := range []*version{k.From, k.To} {
				if v != nil {
					versions += " " + v.Version
				}
			}
			all = append(all, change+" "+k.Name+versions)
		}
	}
	add("added", d.Added)
	add("removed", d.Removed)
	add("changed", d.Changed)
	add("replaced", d.Replaced)
	return append(all, fmt.Sprint("same ", d.Same))
}

// newHistory has a repository whose jammy was at two revisions.
func newHistory(t *testing.T, s *site, repository string) (c historyCaller, first, second string) {
	t.Helper()
	jammy := repository + "/ubuntu/jammy"
	revision := func() string { return fmt.Sprint(s.status(t, jammy).Releases[0].Published) }
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "gone"}), newDEB(t, debtest.Spec{Name: "kept"}))
	first = revision()
	s.does(t, 0, "", "yank", jammy, "hello=1.0", "gone", "--reason", "old")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Name: "new"}))
	return historyCaller{s, "/api/v1/repos/" + repository, apiToken(t, s.data, repository, "release", "manage")}, first, revision()
}

// Callers of the API compare what clients saw, and roll back to it: a rollback does what its plan says, or nothing.
func TestHistoryByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository = "acme/apihistory"
	manage, first, second := newHistory(t, s, repository)
	then := []string{"added new 1.0", "removed gone 1.0", "changed hello 1.0 2.0", "same 1"}
	if diff := cmp.Diff(then, manage.differences(t, first)); diff != "" {
		t.Errorf("since the first revision (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"same 3"}, manage.differences(t, second)); diff != "" {
		t.Errorf("since the second revision (-want +got):\n%s", diff)
	}
	push := historyCaller{s, manage.path, apiToken(t, s.data, repository, "ci", "push")}
	to := url.Values{"to": {first}, "distribution": {"ubuntu/jammy"}}
	var plan struct{ Digest string }
	read := func() {
		t.Helper()
		if err := json.Unmarshal([]byte(push.says(t, 200, `"withdraw":2,"restore":2,`, http.MethodGet, "/rollback/plan", to)), &plan); err != nil || plan.Digest == "" {
			t.Fatalf("%v: %+v", err, plan)
		}
	}
	read()
	push.says(t, 403, "manage", http.MethodPost, "/rollback", to)
	with := func(more ...string) url.Values {
		form := url.Values{"to": {first}, "distribution": {"ubuntu/jammy"}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return form
	}
	s.publish(t, repository+"/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "late"}))
	manage.says(t, 409, "the plan does not hold any more, and nothing was changed; ask for a new plan", http.MethodPost, "/rollback", with("digest", plan.Digest))
	s.does(t, 0, "", "yank", repository+"/ubuntu/jammy", "late", "--reason", "x")
	read()
	manage.says(t, 200, `"withdrawn":2,"restored":2,"left_out":{"packages":0,"first":[]},"published":true`, http.MethodPost, "/rollback", with("digest", plan.Digest, "why", "loses data"))
	if text := string(s.index(t, repository)); !strings.Contains(text, "Package: gone\n") || strings.Contains(text, "Version: 2.0\n") {
		t.Errorf("it has answered, and clients see\n%s", text)
	}
	manage.says(t, 200, `"withdrawn":0,"restored":0,`, http.MethodPost, "/rollback", with("digest", plan.Digest)) // a repeat changes nothing
	if diff := cmp.Diff([]string{"same 3"}, manage.differences(t, first)); diff != "" {
		t.Errorf("back, since the first revision (-want +got):\n%s", diff)
	}
	log := s.does(t, 0, "", "log", repository).Stdout
	if !strings.Contains(log, "token release of "+repository+"  package.rollback") || !strings.Contains(log, "to revision "+first+": 2 withdrawn, 2 restored") || !strings.Contains(log, "loses data") {
		t.Errorf("the log says %s", log)
	}
	manage.says(t, 200, `"withdrawn":2,"restored":2,`, http.MethodPost, "/rollback", with("to", second)) // undo
	if diff := cmp.Diff(then, manage.differences(t, first)); diff != "" {
		t.Errorf("undone, since the first revision (-want +got):\n%s", diff)
	}
}

// What cannot be compared or rolled back changes nothing, and the answer says why. It says nothing of repositories without a right.
func TestHistoryByAPIRefuses(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, secret = "acme/apihistoryrefuses", "acme/apihistoryrefuses/ubuntu/jammy", "acme/apihistoryrefusex"
	manage, first, _ := newHistory(t, s, repository)
	s.publish(t, repository+"/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.publish(t, secret+"/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.does(t, 0, "", "snapshot", "create", secret, "--name", "hidden")
	other := historyCaller{s, "/api/v1/repos/" + secret, manage.token}
	none := historyCaller{s, "/api/v1/repos/acme/apihistorynone", manage.token}
	all := historyCaller{s, "/api/v1/repos/acme/apihistoryrefusey", apiToken(t, s.data, "acme", "apihistoryall", "manage")}
	tokens := historyCaller{s, manage.path, apiToken(t, s.data, repository, "web", "tokens")}
	for _, c := range []struct{ call, method string }{{"/diff", "GET"}, {"/rollback/plan", "GET"}, {"/rollback", "POST"}} {
		field := url.Values{"to": {"1"}}
		hidden, missing := other.says(t, 404, "there is no repository", c.method, c.call, field), none.says(t, 404, "there is no repository", c.method, c.call, field)
		if strings.ReplaceAll(hidden, secret, "acme/apihistorynone") != missing {
			t.Errorf("%s tells a repository that is hidden from one that is not there: %s, %s", c.call, hidden, missing)
		}
		if a := all.says(t, 404, "there is no repository", c.method, c.call, field); strings.Contains(a, repository) || strings.Contains(a, secret) {
			t.Errorf("%s names a repository: %s", c.call, a)
		}
		tokens.says(t, 403, "it needs the scope", c.method, c.call, field)
	}
	manage.says(t, 405, "use POST", "GET", "/rollback", nil)
	manage.says(t, 405, "use GET", "POST", "/diff", nil)
	manage.says(t, 422, `{"from":["name a revision`, "GET", "/diff", nil)
	for _, tt := range []struct {
		fact, to, distribution string
		status                 int
		says                   string
	}{
		{"nothing", "", "", 422, `{"`},
		{"a revision of several releases", "1", "", 422, `{"to":["a revision is of one release, and ` + repository + ` has several: name a time, or a target with one release"]}`},
		{"a revision that never was", "999", "ubuntu/jammy", 422, "was never published, or nothing is known of it any more"},
		{"a snapshot that is not there", "hidden", "", 422, repository},
		{"a time to come", "2099-01-01", "", 422, "name an earlier time"},
		{"no point", "a b", "", 422, `{"to":["use a revision, such as 41, a snapshot, or a time in UTC`},
		{"another name of a distribution", "1", "ubuntu/22.04", 404, "use " + jammy},
		{"an unknown distribution", "1", "ubuntu/focal", 404, "there is no distribution ubuntu/focal in " + repository},
		{"a component", "1", "ubuntu/jammy/main", 422, `{"distribution":["use OS/VERSION`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			form := url.Values{"to": {tt.to}, "distribution": {tt.distribution}}
			for call, method := range map[string]string{"/diff": "GET", "/rollback/plan": "GET", "/rollback": "POST"} {
				if a := manage.says(t, tt.status, tt.says, method, call, form); strings.Contains(a, secret) {
					t.Errorf("%s names another repository: %s", call, a)
				}
			}
		})
	}
	form := url.Values{"to": {first}, "distribution": {"ubuntu/jammy"}}
	form.Set("dry_run", "yes")
	manage.says(t, 422, `{"dry_run":["GET rollback/plan`, "POST", "/rollback", form)
	form.Del("dry_run")
	s.does(t, 0, "", "yank", jammy, "hello=1.0", "--reason", "x", "--now")
	const gone = "1 package of then cannot come back, their files are gone: hello 1.0 all in " + jammy + "/main; nothing is changed: add partial=yes"
	manage.says(t, 409, gone, "GET", "/rollback/plan", form)
	manage.says(t, 409, gone, "POST", "/rollback", form)
	form.Set("partial", "perhaps")
	manage.says(t, 422, `{"partial":["its one value is yes"]}`, "POST", "/rollback", form)
	form.Set("partial", "yes")
	manage.says(t, 200, `"left_out":{"packages":1,"first":[{"place":"`+jammy+`/main","package":"hello 1.0 all"`, "GET", "/rollback/plan", form)
	manage.says(t, 200, `"withdrawn":2,"restored":1,"left_out":{"packages":1,`, "POST", "/rollback", form)
}

// Of two rollbacks at once, the last one holds; the other is answered with that it was undone, unless clients saw it before.
func TestTwoRollbacksAtOnceByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	c, first, second := newHistory(t, s, "acme/apihistorytwo")
	for _, points := range [][]string{{first, first}, {first, second}, {second, first}} {
		statuses, answers := make([]int, 2), make([]string, 2)
		var both sync.WaitGroup
		for i, to := range points {
			both.Go(func() {
				statuses[i], answers[i] = s.ask(t, http.MethodPost, c.token, c.path+"/rollback", url.Values{"to": {to}, "distribution": {"ubuntu/jammy"}}.Encode())
			})
		}
		both.Wait()
		holds := 0
		for i, status := range statuses {
			switch {
			case status == 200:
				holds++
			case status != 409 || points[0] == points[1] || !strings.Contains(answers[i], "recorded, and undone since: "):
				t.Errorf("to %s: %d %s", points[i], status, answers[i])
			}
		}
		is := []string{strings.Join(c.differences(t, points[0]), ", "), strings.Join(c.differences(t, points[1]), ", ")}
		if holds == 0 || is[0] != "same 3" && is[1] != "same 3" {
			t.Errorf("to %q: %q, and it differs from them by %q", points, answers, is)
		}
	}
}

// Without a worker a rollback is recorded, and the answer says that clients do not see it yet; a repeat waits for it.
func TestRollbackByAPIWithoutAWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, first, _ := newHistory(t, s, "acme/tools")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	p := beginAPI(t, s.data, "127.0.0.1:0")
	alone := *s
	alone.url = "http://" + addressIn(t, p, "listen")
	form := url.Values{"to": {first}, "distribution": {"ubuntu/jammy"}}
	historyCaller{&alone, c.path, c.token}.says(t, 202, `"withdrawn":2,"restored":2,"left_out":{"packages":0,"first":[]},"published":false`, http.MethodPost, "/rollback", form)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data)
	historyCaller{s, c.path, c.token}.says(t, 200, `"withdrawn":0,"restored":0,"left_out":{"packages":0,"first":[]},"published":true`, http.MethodPost, "/rollback", form)
	if !strings.Contains(string(s.index(t, "acme/tools")), "Package: gone\n") {
		t.Error("it has answered, and clients do not see it")
	}
}
