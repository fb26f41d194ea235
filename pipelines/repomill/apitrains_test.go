package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// Callers of the API list, plan, publish and drop release trains, if they may do so in all repositories of the owner.
func TestTrainsByAPI(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, path = "apitrains/tools/ubuntu/jammy", "/api/v1/trains/apitrains"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "before"}))
	manage, push := apiToken(t, s.data, "apitrains", "release", "manage"), apiToken(t, s.data, "apitrains", "ci", "push")
	read, one, other := apiToken(t, s.data, "apitrains", "web", "read"), apiToken(t, s.data, "apitrains/tools", "one", "manage"), apiToken(t, s.data, "otherowner", "ci", "manage")
	first, second := newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Name: "other"})
	s.embargo(t, "19.5.0", jammy, first)
	calls := func(method, who, path, form string, status int, has string) (answer string) {
		t.Helper()
		got, answer := s.ask(t, method, who, path, form)
		if got != status || !strings.Contains(answer, has) {
			t.Errorf("%s %s %s: got %d %s; want %d %s", method, path, form, got, answer, status, has)
		}
		return answer
	}
	train := path + "/19.5.0"
	calls(http.MethodGet, push, path, "", 200, `[{"train":"apitrains/19.5.0","state":"open","embargo":true,`)
	calls(http.MethodGet, push, train, "", 200, `"package":"hello 1.0 all","place":"apitrains/tools/ubuntu/jammy/main"`)
	for _, p := range []string{path, train, train + "/plan"} {
		calls(http.MethodGet, read, p, "", 403, "a token of all of them with the scope push")
		calls(http.MethodGet, one, p, "", 403, "a token of all of them with the scope push")
		calls(http.MethodGet, other, p, "", 404, "there is no owner apitrains")
	}
	for _, call := range []string{"/publish", "/drop"} {
		calls(http.MethodPost, push, train+call, "", 403, "with the scope manage")
		calls(http.MethodGet, manage, train+call, "", 405, "")
		calls(http.MethodPost, manage, path+"/none"+call, "", 404, "there is no release train apitrains/none")
	}
	calls(http.MethodGet, manage, path+"/a%20b", "", 404, "there is nothing here")
	calls(http.MethodPost, manage, train+"/publish", "at=noon", 422, `{"at":["use a time such as`)
	calls(http.MethodPost, manage, train+"/publish", "at=2020-01-01T00:00:00Z", 422, "name a later time")
	calls(http.MethodPost, manage, train+"/drop", "package=nothing", 409, "holds no nothing")
	calls(http.MethodPost, manage, train+"/drop", "rejected=perhaps", 422, `{"rejected":[`)

	var plan struct {
		Ready  bool
		Digest string
	}
	if err := json.Unmarshal([]byte(calls(http.MethodGet, push, train+"/plan", "", 200, `"ready":true`)), &plan); err != nil || plan.Digest == "" {
		t.Fatalf("%v: %+v", err, plan)
	}
	calls(http.MethodPost, manage, train+"/publish", "at=2099-01-01T00:00:00Z&why=later", 202, `"not_before":"2099-01-01T00:00:00Z"`)
	calls(http.MethodDelete, manage, train+"/publish", "", 200, `"state":"open"`)
	s.embargo(t, "19.5.0", jammy, second)
	calls(http.MethodPost, manage, train+"/publish", "digest="+plan.Digest, 409, "does not hold what that plan says, and nothing is changed")
	calls(http.MethodPost, manage, train+"/drop", url.Values{"package": {"other=1.0"}, "why": {"rebuilt"}}.Encode(), 200, `"removed":true`)
	for range 2 { // a repeat changes nothing
		calls(http.MethodPost, manage, train+"/publish", "why=release+day&digest="+plan.Digest, 200, `"milliseconds_between_pointers"`)
	}
	calls(http.MethodPost, manage, train+"/publish", "digest=00", 409, "is published already")
	calls(http.MethodPost, manage, train+"/drop", "", 409, "is published already")
	s.fetch(t, "apitrains/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_all.deb")
	log := s.does(t, 0, "", "log", "apitrains/tools").Stdout
	for _, line := range []string{"token release of apitrains  train.ask  apitrains", "token release of apitrains  train.cancel", "token release of apitrains  train.drop", "token release of apitrains  train.publish  apitrains/tools", "release day"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q: %s", line, log)
		}
	}
	s.hold(t, "20", jammy, second)
	for _, n := range []string{`"state":"held"`, `{"uploads":[],"removed":true}`} { // a repeat changes nothing
		calls(http.MethodPost, manage, path+"/20/drop", "", 200, n)
	}
}

// A plan of a train publishes what it says, or nothing.
func TestL2TrainGoesAsPlanned(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "plantrain/tools/ubuntu/jammy"
	file := t.TempDir() + "/train.json"
	s.hold(t, "1", jammy, newDEB(t, debtest.Spec{}))
	s.does(t, 5, "", "train", "plan", "plantrain/1", "--plan", file)
	s.hold(t, "1", jammy, newDEB(t, debtest.Spec{Name: "more"}))
	s.does(t, 1, "the plan does not hold any more, and nothing was changed: new: copy more 1.0 all in plantrain/tools/ubuntu/jammy, main; make a new plan", "apply", file)
	s.does(t, 5, "", "train", "plan", "plantrain/1", "--plan", file)
	for range 2 { // a repeat finds it done
		if a := s.does(t, 0, "", "apply", file, "--why", "as planned"); !strings.HasPrefix(a.Stdout, "published: release train plantrain/1\n") {
			t.Errorf("apply says %s", a.Stdout)
		}
	}
	if got := lsVersions(t, s, jammy); len(got) != 2 {
		t.Errorf("jammy lists %q", got)
	}
	s.hold(t, "2", jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	s.does(t, 5, "", "train", "plan", "plantrain/2", "--plan", file)
	s.does(t, 0, "", "train", "publish", "plantrain/2")
	s.does(t, 1, "release train plantrain/2 is published already", "apply", file) // though not by the plan
}

// After a loss of the catalog, staging has a published train once more: nothing of it can be dropped, and that is said.
func TestTrainAfterALossOfTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/lost/ubuntu/jammy"
	hello := newDEB(t, debtest.Spec{})
	s.hold(t, "1", jammy, hello)
	s.does(t, 0, "", "train", "publish", "acme/1")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.data + "/catalog.db" + end); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s = restart(t, s.data)
	proctest.Until(t, "the train is found in staging", func() string {
		return repomill(t, "train", "show", "--catalog", "sqlite://"+s.data+"/catalog.db", "acme/1").Stdout
	}, func(said string) bool {
		return strings.Contains(said, "its packages are published already; whether that was as a train is not known")
	})
	s.does(t, 1, "release train acme/1 holds nothing that could be dropped: all its packages are published, and stay", "train", "drop", "acme/1")
	s.does(t, 1, "it holds no package", "train", "publish", "acme/1")
	s.fetch(t, "acme/lost/ubuntu/pool/jammy/main/h/hello/hello_1.0_all.deb")
}
