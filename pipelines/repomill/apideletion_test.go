package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// apiCalls returns a function that calls a path of the API, and reports another answer than one with a status that has a text.
func (s *site) apiCalls(t *testing.T) func(method, who, path, form string, status int, has ...string) string {
	return func(method, who, path, form string, status int, has ...string) string {
		t.Helper()
		got, answer := s.ask(t, method, who, path, form)
		lacks := got != status
		for _, text := range has {
			lacks = lacks || !strings.Contains(answer, text)
		}
		if lacks {
			t.Errorf("%s %s %s: got %d %s; want %d %q", method, path, form, got, answer, status, has)
		}
		return answer
	}
}

// Callers of the API delete a repository and bring it back, if they may, and say its name once more.
func TestDeletionByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, path = "apidel/tools", "apidel/tools/ubuntu/jammy", "/api/v1/repos/apidel/tools/deletion"
	deb := newDEB(t, debtest.Spec{})
	s.publish(t, jammy, deb)
	s.publish(t, "apidel/tools/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	manage, push, other := apiToken(t, s.data, "apidel", "release", "manage"), apiToken(t, s.data, repository, "ci", "push"), apiToken(t, s.data, "otherdel", "ci", "manage")
	calls := s.apiCalls(t)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		calls(method, push, path, "", 403, "manage")
		calls(method, other, path, "", 404, "there is no repository")
		calls(method, manage, "/api/v1/repos/apidel/none/deletion", "confirm=apidel/none", 404, "there is no repository")
	}
	calls(http.MethodPut, manage, path, "", 405)
	calls(http.MethodGet, manage, path, "", 200, `{"target":"apidel/tools","packages":2,"files":2,`, `"deleted":null,"parts":[],"digest":"`)
	calls(http.MethodPost, manage, path, "", 422, `{"confirm":["the name is not apidel/tools: nothing is changed`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tool", 422, `{"confirm":[`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=-1h", 422, `{"undo_period":[`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=11y", 422, `{"undo_period":[`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&why=a%0Ab", 422, `{"why":[`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&distributions=el/9", 422, `{"distributions":["this call has no such field: use confirm, `)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&confirm=apidel/tools", 422, `{"confirm":["send it once`)
	s.hold(t, "waits", jammy, newDEB(t, debtest.Spec{Name: "waits"}))
	calls(http.MethodPost, manage, path, "confirm=apidel/tools", 409, "apidel/tools is not deleted: release trains hold packages of it")
	calls(http.MethodGet, manage, path, "", 200, `"deleted":null`)
	s.does(t, 0, "", "train", "drop", "apidel/waits")
	var planned struct{ Digest string }
	if err := json.Unmarshal([]byte(calls(http.MethodGet, manage, path, "", 200)), &planned); err != nil || len(planned.Digest) != 64 {
		t.Errorf("%v: the digest is %q", err, planned.Digest)
	}
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=10d&digest="+planned.Digest, 409, "the plan does not hold any more, and nothing was changed") // another period
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=30d&why=replaced&digest="+planned.Digest, 200, `"packages":2,"files"`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=30d&digest="+planned.Digest, 200, `"packages":2,`) // a repeat changes nothing
	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=30d&digest=other", 409, "apidel/tools is deleted already, and not by this plan: it was deleted on ")
	for range 2 {
		calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=30d&why=replaced", 200, `"packages":0,"files"`, `"deleted":{"target":"apidel/tools","at":"`, `"why":"replaced","packages":2,`,
			`repomill repo undelete brings it back"}`, `"published":true`)
	}
	if left := lsVersions(t, s, jammy); len(left) > 0 {
		t.Errorf("jammy lists %q", left)
	}
	calls(http.MethodGet, manage, path+"?distribution=el/9", "", 200, `"target":"apidel/tools/el/9"`, `"deleted":{"target":"apidel/tools","at":"`)
	calls(http.MethodPost, manage, path, "confirm=apidel/tools/el/9&distribution=el/9", 409, "repository apidel/tools: it was deleted on ")
	calls(http.MethodDelete, manage, path+"?confirm=x", "", 422, `{"confirm":[`)
	for range 2 {
		calls(http.MethodDelete, manage, path+"?why=a+mistake", "", 200, `{"target":"apidel/tools","packages":2,`, `"deleted":null,"parts":[],"published":true}`)
	}
	s.fetch(t, "apidel/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_all.deb")
	says(t, s.does(t, 0, "", "log", repository), "  token release of apidel  repo.delete  apidel/tools  2 packages withdrawn; can be undone until ", "(replaced)",
		"  token release of apidel  repo.undelete  apidel/tools  2 packages are back  (a mistake)")

	calls(http.MethodPost, manage, path, "confirm=apidel/tools&undo_period=0s", 200)
	proctest.Eventually(t, "all objects are removed", func() bool {
		status, answer := s.ask(t, http.MethodGet, manage, path, "")
		return status == 200 && strings.Contains(answer, `"removed":"`)
	})
	calls(http.MethodDelete, manage, path, "", 409, "it was deleted on ", "its objects are")
}

// Callers of the API delete one distribution, or one component, and bring it back.
func TestDeletionOfPartsByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, path = "apidel/parts", "apidel/parts/ubuntu/jammy", "/api/v1/repos/apidel/parts/deletion"
	s.does(t, 0, "", "repo", "create", repository, "--distribution", "ubuntu/jammy", "--distribution", "debian/bookworm", "--component", "contrib")
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, jammy+"/contrib", newDEB(t, debtest.Spec{Name: "other"}))
	s.publish(t, "apidel/parts/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	manage := apiToken(t, s.data, repository, "release", "manage")
	calls := s.apiCalls(t)
	const contrib, main = "distribution=ubuntu/jammy&component=contrib", "distribution=ubuntu/jammy&component=main"
	calls(http.MethodPost, manage, path, "confirm="+repository+"&component=contrib", 422, `{"component":["name the distribution`)
	calls(http.MethodPost, manage, path, "confirm="+repository+"&distribution=jammy", 422, `{"distribution":["use OS/VERSION`)
	calls(http.MethodPost, manage, path, "confirm="+repository+"&"+contrib, 422, "the name is not "+jammy+"/contrib: nothing is changed")
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		calls(method, manage, path+"?distribution=el/8", "confirm="+repository+"/el/8", 404, "does not have distribution el/8")
	}
	calls(http.MethodGet, manage, path+"?distribution=ubuntu/jammy&component=none", "", 404, "it has contrib, main")
	calls(http.MethodGet, manage, path+"?distribution=el/9&component=main", "", 422, "RPM distributions have no components")

	calls(http.MethodPost, manage, path, "confirm="+jammy+"/contrib&"+contrib, 200, `{"target":"`+jammy+`/contrib","packages":1,`, `"deleted":{"target":"`+jammy+`/contrib","at":"`, `"published":true`)
	calls(http.MethodPost, manage, path, "confirm="+jammy+"/main&"+main, 409, "it is the only component of its distribution; repomill repo delete "+jammy+" deletes that")
	calls(http.MethodGet, manage, path, "", 200, `"packages":2,`, `"deleted":null,"parts":[{"target":"`+jammy+`/contrib","at":"`)
	calls(http.MethodPost, manage, path, "confirm="+repository+"/el/9&distribution=el/9", 200, `"deleted":{"target":"`+repository+`/el/9"`, `"published":true`)
	calls(http.MethodPost, manage, "/api/v1/repos/"+repository+"/retention", "newest=1&distribution=el/9", 409, "distribution "+repository+"/el/9: it was deleted on ")
	if got := lsVersions(t, s, jammy); len(got) != 1 {
		t.Errorf("jammy lists %q", got)
	}
	calls(http.MethodDelete, manage, path+"?"+contrib, "", 200, `"packages":1,`, `"deleted":null`, `"published":true`)
	calls(http.MethodDelete, manage, path+"?distribution=el/9", "", 200, `"packages":1,`, `"deleted":null`, `"published":true`)
	calls(http.MethodPost, manage, path, "confirm="+repository+"/debian/bookworm&distribution=debian/bookworm", 200, `"unused":true`, `"published":true`) // it had no package
	calls(http.MethodGet, manage, path, "", 200, `"packages":3,`, `"deleted":null`)
	if err := s.checkBucket(repository); err != nil {
		t.Error(err)
	}
}
