package main_test

import (
	"bytes"
	"encoding/json"
	"expvar"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// Calls that are not made here, with the reason.
var callsElsewhere = map[string]string{
	"POST /api/v1/upload/OWNER/NAME/OS/VERSION/FILE?session": "the file that comes of it is an upload as another: TestLargeFilesPassTheAPIBy",
	"POST /api/v1/oidc/token":                                "it needs an issuer with https: jobtokens_test.go of catalogdb has its entries",
	"POST /api/v1/repos/OWNER/NAME/packages/contents":        "it is always refused",
}

// An apiChange is a call that changes something, and the entries that the log has of it, each as "action target", sorted.
type apiChange struct {
	route string
	path  string // names in capitals stand for what earlier answers had; empty for the path of the route in apiaudit/tools
	body  string // a form, JSON or a file
	as    string // the token: of the owner, unless it is MASTERVALUE
	want  []string
}

// apiChanges are the calls, in an order in which a caller could make them.
func apiChanges(t *testing.T) []apiChange {
	const tools, jammy = "apiaudit/tools", "apiaudit/tools/ubuntu/jammy"
	const repos, r, trains = "/api/v1/repos", "/api/v1/repos/OWNER/NAME", "/api/v1/trains/OWNER/NAME"
	const vault, file = repos + "/apiaudit/vault", repos + "/" + jammy + "/hello_2.0_all.deb"
	deb := func(name string) string { return string(debtest.Build(t, debtest.Spec{Name: name})) }
	in := func(actions ...string) []string { return actions }
	return []apiChange{
		{route: "POST " + repos, path: repos, body: "repository[name]=vault&repository[private]=1", want: in("repo.create apiaudit/vault")},
		{route: "POST " + r + "/gpg_keys", path: vault + "/gpg_keys", body: "gpg_key[keydata]=KEYDATA", want: in("repo.set apiaudit/vault")},
		{route: "DELETE " + r + "/gpg_keys/KEY", path: vault + "/gpg_keys/KEYNAME", want: in("repo.set apiaudit/vault")},
		{route: "POST " + r + "/master_tokens", path: vault + "/master_tokens", body: "master_token[name]=default", want: in("token.create apiaudit/vault")},
		{route: "POST " + r + "/master_tokens/TOKEN/read_tokens", path: vault + "/master_tokens/MASTER/read_tokens", body: "read_token[name]=web", want: in("token.create apiaudit/vault")},
		{route: "DELETE " + r + "/master_tokens/TOKEN/read_tokens/ID", path: vault + "/master_tokens/MASTER/read_tokens/READ", want: in("token.revoke apiaudit/vault")},
		{route: "POST /install/repositories/OWNER/NAME/tokens.text", path: "/install/repositories/apiaudit/vault/tokens.text", body: "name=web-2", as: "MASTERVALUE", want: in("token.create apiaudit/vault")},
		// The host's token is revoked with the master token that made it; the default one is replaced.
		{route: "DELETE " + r + "/master_tokens/TOKEN", path: vault + "/master_tokens/MASTER", want: in("token.create apiaudit/vault", "token.revoke apiaudit/vault", "token.revoke apiaudit/vault")},

		{route: "PUT /api/v1/upload/OWNER/NAME/OS/VERSION/FILE", path: "/api/v1/upload/" + jammy + "/put.deb?wait=60s", body: deb("put"), want: in("upload " + jammy)},
		{route: "POST " + r + "/packages", path: repos + "/" + tools + "/packages.json", body: deb("form"), want: in("upload " + jammy)},
		{route: "POST " + r + "/OS/VERSION/FILE/phase", path: repos + "/" + jammy + "/other_1.0_all.deb/phase.json", body: "phase=10%25", want: in("package.phase " + jammy + "/main")},
		{route: "POST " + r + "/OS/VERSION/FILE/promote", path: file + "/promote.json", body: "destination=apiaudit/stable",
			want: in("package.promote apiaudit/stable/ubuntu/jammy/main", "package.promote "+jammy+"/main", "upload apiaudit/stable/ubuntu/jammy/main")},
		{route: "POST " + r + "/snapshots", body: `{"name":"first"}`, want: in("snapshot.create " + tools)},
		{route: "POST " + r + "/yank", body: "package=other&reason=broken", want: in("package.yank " + jammy + "/main")},
		{route: "POST " + r + "/unyank", body: "package=other", want: in("package.unyank " + jammy + "/main")},
		{route: "DELETE " + r + "/OS/VERSION/FILE", path: repos + "/" + jammy + "/other_1.0_all.deb", want: in("package.yank " + jammy + "/main")},
		{route: "POST " + r + "/rollback", body: "to=first", want: in("package.rollback "+tools, "package.unyank "+jammy+"/main")},
		{route: "DELETE " + r + "/snapshots/ID", path: repos + "/" + tools + "/snapshots/first", want: in("snapshot.delete " + tools)},
		{route: "POST " + r + "/retention", body: "newest=1", want: in("repo.set " + tools)},
		{route: "POST " + r + "/retention/run", want: in("package.retain "+tools, "package.yank "+jammy+"/main")},

		{route: "POST " + trains + "/publish", path: "/api/v1/trains/apiaudit/one/publish", body: "at=2099-01-01T00:00:00Z", want: in("train.ask " + tools)},
		{route: "DELETE " + trains + "/publish", path: "/api/v1/trains/apiaudit/one/publish", want: in("train.cancel " + tools)},
		{route: "POST " + trains + "/publish", path: "/api/v1/trains/apiaudit/one/publish", want: in("train.ask "+tools, "train.publish "+tools)},
		{route: "POST " + trains + "/drop", path: "/api/v1/trains/apiaudit/two/drop", want: in("train.drop " + tools)},
		{route: "POST " + r + "/deletion", body: "confirm=" + tools, want: in("repo.delete " + tools)},
		{route: "DELETE " + r + "/deletion", want: in("repo.undelete " + tools)},
		{route: "POST " + r + "/snapshots/schedule", body: `{"every":"weekly","keep":2}`, want: in("repo.set " + tools)},
	}
}

// Every call of the API that changes something leaves its entries in the audit log, in the name of the caller, each once. The routes are those
// by which the API finds its handlers: none is left out here.
func TestL6EveryCallHasItsAuditRow(t *testing.T) {
	t.Parallel()
	s, _, keyFile := commandsSite(t)
	const owner, tools, jammy = "apiaudit", "apiaudit/tools", "apiaudit/tools/ubuntu/jammy"
	s.does(t, 0, "", "repo", "create", "apiaudit/stable", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "hello", Version: "1.0"}), newDEB(t, debtest.Spec{Name: "hello", Version: "2.0"}), newDEB(t, debtest.Spec{Name: "other", Version: "1.0"}))
	for _, train := range []string{"one", "two"} {
		s.hold(t, train, jammy, newDEB(t, debtest.Spec{Name: train}))
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"TOKEN": apiToken(t, s.data, owner, "ci", "manage,push"), "KEYDATA": url.QueryEscape(string(key))}
	made, before := map[string]bool{}, len(s.ownLog(t, owner))
	for _, c := range apiChanges(t) {
		made[c.route] = true
		method, path, _ := strings.Cut(c.route, " ")
		if c.path != "" {
			path = c.path
		}
		path = fill(strings.Replace(path, "OWNER/NAME", tools, 1), names)
		body, kind, who := fill(c.body, names), "application/x-www-form-urlencoded", "token ci of "+owner
		switch {
		case strings.HasSuffix(path, "/retention/run"):
			s.age(t, tools, 60*24*time.Hour)
			s.forgetUnyanks(t)
			body = s.retentionPlan(t, names["TOKEN"], strings.TrimSuffix(path, "/run"))
		case strings.HasSuffix(path, "/packages.json"):
			kind, body = packageForm(t, s, names["TOKEN"], tools, body)
		}
		p := pusher{s.url, names["TOKEN"]}
		if c.as != "" {
			p.token, who = names[c.as], "token default of apiaudit/vault"
		}
		status, head, answer := p.do(t, method, path, kind, strings.NewReader(body))
		if status >= 300 || head.Get("X-Publish-Pending") != "" {
			t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
		remember(names, status, answer)
		all := s.ownLog(t, owner)
		var got []string
		for _, e := range all[min(before, len(all)):] {
			if e.By == "" && e.Action == catalog.ActionSnapshot { // a worker takes the first one of the schedule
				continue
			}
			if e.By != who {
				t.Errorf("%s: the entry %+v is by %q, want %q", c.route, e, e.By, who)
			}
			got = append(got, string(e.Action)+" "+e.Target)
		}
		slices.Sort(got)
		if before = len(all); !cmp.Equal(c.want, got) {
			t.Errorf("%s in the audit log (-want +got):\n%s", c.route, cmp.Diff(c.want, got))
		}
	}
	var routes []string
	if err := json.Unmarshal([]byte(expvar.Get("routes of the API").String()), &routes); err != nil || len(routes) < 20 {
		t.Fatalf("%v: %q", err, routes)
	}
	for _, route := range routes {
		if made[route] == (callsElsewhere[route] != "") {
			t.Errorf("%s: it is not in this test: add what the audit log has of it, or say where that is tested", route)
		}
		delete(made, route)
	}
	for route := range made {
		t.Errorf("%s: the API has no such route", route)
	}
}

// ownLog returns the log of the repositories of an owner, oldest first.
func (s *site) ownLog(t *testing.T, owner string) (all []catalog.AuditEntry) {
	t.Helper()
	for line := range strings.Lines(s.does(t, 0, "", "log", owner, "--json").Stdout) {
		var e catalog.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Target, owner+"/") {
			all = append(all, e)
		}
	}
	return all
}

// retentionPlan returns the form by which the plan of a repository is run.
func (s *site) retentionPlan(t *testing.T, token, path string) string {
	t.Helper()
	var plan struct {
		At, Digest string
		Packages   int
	}
	if status, body := s.ask(t, http.MethodGet, token, path+"/plan.json", ""); status != http.StatusOK || json.Unmarshal([]byte(body), &plan) != nil || plan.Packages != 1 {
		t.Fatalf("%d %s", status, body)
	}
	return url.Values{"at": {plan.At}, "digest": {plan.Digest}}.Encode()
}

// packageForm returns the form by which package_cloud pushes a package to ubuntu/jammy.
func packageForm(t *testing.T, s *site, token, repository, file string) (kind, body string) {
	t.Helper()
	_, id := pusher{s.url, token}.lookUp(t, repository, "deb", "ubuntu", "jammy")
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	form.WriteField("package[distro_version_id]", id) //nolint:errcheck // a buffer
	part, err := form.CreateFormFile("package[package_file]", "form.deb")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), b.String()
}

// remember adds the names that an answer has to those of [apiChange.path].
func remember(names map[string]string, status int, answer []byte) {
	var v struct {
		ID          int64
		Name, Value string
		Paths       map[string]string
	}
	if status != http.StatusCreated || json.Unmarshal(answer, &v) != nil {
		return
	}
	switch self := v.Paths["self"]; {
	case self != "":
		names["MASTER"], names["MASTERVALUE"] = self[strings.LastIndexByte(self, '/')+1:], v.Value
	case v.ID != 0:
		names["READ"] = fmt.Sprint(v.ID)
	case strings.HasSuffix(v.Name, ".pub.gpg"):
		names["KEYNAME"] = v.Name
	}
}
