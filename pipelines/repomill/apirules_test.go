package main_test

import (
	"net/http"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// Callers of the API set rules of retention, and the schedule of snapshots, if they may; the log says who did, and why.
func TestRulesByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy = "apirules/tools", "apirules/tools/ubuntu/jammy"
	const rules, schedule = "/api/v1/repos/apirules/tools/retention.json", "/api/v1/repos/apirules/tools/snapshots/schedule"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "rules"}))
	manage, push, other := apiToken(t, s.data, "apirules", "release", "manage"), apiToken(t, s.data, repository, "ci", "push"), apiToken(t, s.data, "otherrules", "ci", "manage")
	calls := s.apiCalls(t)

	calls(http.MethodPost, push, rules, "newest=3", 403, "manage")
	calls(http.MethodPost, other, rules, "newest=3", 404, "there is no repository")
	calls(http.MethodDelete, manage, rules, "", 405, "use GET, HEAD, POST")
	calls(http.MethodPost, manage, rules, "newest=none", 422, `{"newest":["use a number of versions`)
	calls(http.MethodPost, manage, rules, "younger=soon", 422, `{"younger":[`)
	calls(http.MethodPost, manage, rules, "newst=3", 422, `{"newst":["this call has no such field: use distribution, newest,`)
	calls(http.MethodPost, manage, rules, "newest=3&automatic=true", 422, `{"automatic":["its one value is yes`)
	calls(http.MethodPost, manage, rules, "newest=3&automatic=yes&paused=yes", 422, `{"rules":["automatic and paused: use one of them`)
	calls(http.MethodPost, manage, rules, "", 422, `{"rules":["name rules, such as newest 3`)
	calls(http.MethodPost, manage, rules, "automatic=yes", 409, "apirules/tools has no rules of retention: name some, such as newest 3")
	calls(http.MethodPost, manage, rules, "newest=3&distribution=ubuntu/none", 404, "there is no distribution apirules/tools/ubuntu/none")
	s.does(t, 0, "", "repo", "create", "apirules/old", "--distribution", "ubuntu/jammy")
	calls(http.MethodPost, manage, rules, "newest=3&archive=apirules/old", 403, "push") // packages are published there
	calls(http.MethodPost, manage, rules, "newest=3&archive=otherrules/old", 404, "there is no repository")
	both := apiToken(t, s.data, "apirules", "both", "push,manage")
	calls(http.MethodPost, both, rules, "newest=3&archive=apirules/none", 409, "the archive apirules/none is not declared")
	calls(http.MethodGet, manage, rules, "", 200, "[]")

	calls(http.MethodPost, manage, rules, "newest=3&younger=90d&keep=rules=1*&keep=other&why=as+agreed", 200, `{"target":"apirules/tools","rules":[{"target":"apirules/tools","rules":["newest 3"`, `"automatic":false`, `"leave":0,"published":true}`)
	calls(http.MethodPost, manage, rules, "automatic=yes", 200, `"automatic":true`)
	if a := s.does(t, 0, "", "retain", "list", repository); !strings.Contains(a.Stdout, "newest 3") || !strings.Contains(a.Stdout, "rules=1*") {
		t.Errorf("retain list says %s", a.Said())
	}
	calls(http.MethodPost, manage, rules, "newest=1&distribution=ubuntu/jammy", 200, `"target":"apirules/tools/ubuntu/jammy"`)
	calls(http.MethodPost, manage, rules, "off=yes&distribution=ubuntu/jammy", 200, `"published":true`)
	calls(http.MethodPost, manage, rules, "off=yes", 200, `"rules":[]`)

	calls(http.MethodPost, push, schedule, `{"every":"daily","keep":7}`, 403, "manage")
	calls(http.MethodPost, manage, schedule, `{"every":"hourly","keep":7}`, 422, `{"every":["snapshots \"hourly\": use daily or weekly`)
	calls(http.MethodPost, manage, schedule, `{"every":"daily","keep":0}`, 422, `use 1 to`)
	calls(http.MethodPost, manage, schedule, `{"each":"daily"}`, 400, "the body is no JSON object with")
	calls(http.MethodPost, manage, schedule, `{"every":"daily","keep":7,"why":"nightly"}`, 200, `{"every":"daily","keep":7,"why":"nightly","published":true}`)
	calls(http.MethodPost, manage, schedule, `{"every":"off"}`, 200, `{"every":"off","published":true}`)

	log := s.does(t, 0, "", "log", repository).Stdout
	for _, want := range []string{"repo.set  " + repository, "(as agreed)", "(nightly)", "release"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "repo.set  "); n != 7 {
		t.Errorf("the log has %d changes of settings, want 7:\n%s", n, log)
	}
}
