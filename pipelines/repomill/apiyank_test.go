package main_test

import (
	"net/http"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// Callers of the API withdraw what patterns select in all distributions, and bring it back, if they may manage the repository.
func TestYankByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, path = "apiyank/tools", "apiyank/tools/ubuntu/jammy", "/api/v1/repos/apiyank/tools"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}), newDEB(t, debtest.Spec{Name: "other"}))
	s.publish(t, "apiyank/tools/el/9", newRPM(t, rpmtest.Spec{Arch: "noarch"}), newRPM(t, rpmtest.Spec{Name: "other", Arch: "noarch"}))
	manage, push, other := apiToken(t, s.data, "apiyank", "release", "manage"), apiToken(t, s.data, repository, "ci", "push"), apiToken(t, s.data, "otheryank", "ci", "manage")
	calls := s.apiCalls(t)
	for _, call := range []string{"/yank", "/unyank"} {
		calls(http.MethodPost, push, path+call, "package=hello", 403, "manage")
		calls(http.MethodPost, other, path+call, "package=hello", 404, "there is no repository")
		calls(http.MethodPost, manage, "/api/v1/repos/apiyank/tool"+call, "package=hello&"+map[string]string{"/yank": "reason=x"}[call], 404, "there is no repository")
		calls(http.MethodGet, manage, path+call, "", 405)
		calls(http.MethodPost, manage, path+call, "", 422, `{"package":["name what is selected`)
		calls(http.MethodPost, manage, path+call, "package=hello%3D", 422, `{"package":["package`)
		calls(http.MethodPost, manage, path+call, "package=hello&dry_run=true", 422, `{"dry_run":["its one value is yes`)
		calls(http.MethodPost, manage, path+call, "package=hello&distributions=el/9", 422, `{"distributions":["this call has no such field: use distribution,`)
	}
	calls(http.MethodPost, manage, path+"/yank", "package=hello", 422, `{"reason":["say why`)
	calls(http.MethodPost, manage, path+"/yank", "package=hello&reason=a%0Ab", 422, `{"reason":["use printable`)
	calls(http.MethodPost, manage, path+"/yank", "package=hello%3D1.0&package=none&reason=bad", 409, "there is no none in apiyank/tools")
	calls(http.MethodPost, manage, path+"/yank", "package=other&distribution=el/8&reason=bad", 409, "el/8")
	calls(http.MethodPost, manage, path+"/yank", "package=other&distribution=el/9&component=main&reason=bad", 422, "RPM distributions have no components")
	calls(http.MethodPost, manage, path+"/yank", "package=*&reason=bad", 409, "would have no package left", "send all=yes if that is meant")

	const one = "package=hello%3D1.0*&package=other&reason=breaks+the+login"
	const what = `"packages":4,"bytes":`
	calls(http.MethodPost, manage, path+"/yank", one+"&all=yes&dry_run=yes", 200, `{"target":"apiyank/tools","dry_run":true,"published":false,`+what, `"changed":[{"place":"apiyank/tools/el/9","name":"hello","version":"1.0-1","arch":"noarch",`)
	if got := lsVersions(t, s, jammy); len(got) != 3 {
		t.Errorf("after a dry run, jammy lists %q", got)
	}
	calls(http.MethodPost, manage, path+"/yank", one+"&all=yes", 200, `"published":true,`+what, `{"release":"apiyank/tools/ubuntu/jammy","packages":2,"stay":1}`, `"left_out":0,"reasons":[]`)
	if got := lsVersions(t, s, jammy); len(got) != 1 || got[0] != "2.0" {
		t.Errorf("jammy lists %q", got)
	}
	calls(http.MethodPost, manage, path+"/yank", one+"&all=yes", 200, `"published":true,"packages":0,`, `"changed":[],"left_out":4,"reasons":[{`, "it is withdrawn already") // a repeat changes nothing

	calls(http.MethodPost, manage, path+"/unyank", "package=none", 409, "there is no none in apiyank/tools")
	calls(http.MethodPost, manage, path+"/unyank", "package=oth*&distribution=el/9&dry_run=yes", 200, `"packages":1,`)
	for _, n := range []string{`"packages":1,`, `"packages":0,`} {
		calls(http.MethodPost, manage, path+"/unyank", "package=oth*&distribution=el/9&why=needed", 200, `{"target":"apiyank/tools/el/9","dry_run":false,"published":true,`+n)
	}
	calls(http.MethodPost, manage, path+"/unyank", "package=hello&distribution=ubuntu/jammy&component=main", 200, `"published":true,"packages":1,`)
	if got := lsVersions(t, s, jammy); len(got) != 2 {
		t.Errorf("jammy lists %q", got)
	}
	says(t, s.does(t, 0, "", "log", repository), "  token release of apiyank  package.yank  apiyank/tools/el/9  other 1.0-1 noarch  (breaks the login)\n",
		"  token release of apiyank  package.unyank  apiyank/tools/el/9  other 1.0-1 noarch  (needed)\n")
	if err := s.checkBucket(repository); err != nil {
		t.Error(err)
	}
}
